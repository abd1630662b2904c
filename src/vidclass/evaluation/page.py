"""Self-contained HTML page about an evaluation."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from vidclass._core.files import write_text
from vidclass._core.text import percent
from vidclass.errors import ConfigError
from vidclass.evaluation.evaluate import Evaluation
from vidclass.evaluation.figures import confusion_figure


def write_page(path: Path, result: Evaluation, *, title: str) -> None:
    """Write metrics and ledger as one HTML file, with the confusion matrix if there is one.

    Raises:
        ConfigError: the file cannot be written.
    """
    metrics = result.metrics
    text = render(
        "evaluation.html",
        title=title,
        metrics=metrics,
        confusion=data_uri(confusion_figure(metrics)) if metrics.confusion else None,
        failures=result.extraction.failures,
    )
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def render(template: str, **values: Any) -> str:
    """Return a page from a template of this package; every value is escaped."""
    environment = Environment(loader=PackageLoader("vidclass", "evaluation/pages"), autoescape=True)
    environment.filters["percent"] = percent
    return environment.get_template(template).render(**values)


def data_uri(figure: Figure) -> str:
    """Return a figure as the data URI of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
