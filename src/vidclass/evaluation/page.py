"""A self-contained HTML page about an evaluation."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from vidclass._core.files import write_text
from vidclass.errors import ConfigError
from vidclass.evaluation.evaluate import Evaluation
from vidclass.evaluation.figures import confusion_figure


def write_page(path: Path, result: Evaluation, *, title: str) -> None:
    """Write the metrics and the ledger as one HTML file, with the confusion matrix if there is one.

    Raises:
        ConfigError: the file cannot be written.
    """
    metrics = result.metrics
    several = metrics.task == "multi-label"
    text = render(
        "multilabel.html" if several else "evaluation.html",
        title=title,
        metrics=metrics,
        confusion=None if several else picture(confusion_figure(metrics)),
        failures=result.extraction.failures,
    )
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def render(template: str, **values: Any) -> str:
    """A page from a template of this package; every value is escaped."""
    environment = Environment(loader=PackageLoader("vidclass", "evaluation/pages"), autoescape=True)
    environment.filters["percent"] = _percent
    return environment.get_template(template).render(**values)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def picture(figure: Figure) -> str:
    """A figure as the address of an embedded PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
