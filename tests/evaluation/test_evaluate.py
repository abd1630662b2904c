from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vidclass.bundle.read import Bundle
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, JobFailedError, ManifestError
from vidclass.evaluation.evaluate import Evaluation, evaluate
from vidclass.evaluation.figures import confusion_figure, save_figure
from vidclass.evaluation.page import write_page
from vidclass.features.failures import FailureMetrics
from vidclass.tasks.metrics import single_label_metrics
from vidclass.types import Failure


def listed(videos: list[Path], labels: list[str]) -> Manifest:
    return Manifest(Rows.from_columns({"video": [str(v) for v in videos], "label": labels}).table)


@pytest.mark.slow
def test_a_bundle_is_measured_on_what_can_be_read(
    tiny_run: Path, tiny_set: Path, tmp_path: Path
) -> None:
    bundle = Bundle.load(tiny_run / "model.vidclass")
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"")
    dark, light = sorted(tiny_set.rglob("*.avi"))[::5]
    result = evaluate(bundle, listed([dark, bad, light, dark], ["dark", "dark", "light", "light"]))
    assert result.rows.tolist() == [0, 2, 3]
    assert result.probabilities.shape == (3, 2)
    assert (result.metrics.videos, result.metrics.failed) == (3, 1)
    assert result.metrics.confusion == [[1, 0], [1, 1]]
    with pytest.raises(JobFailedError, match=r"none of the 1 clips .*bad\.avi: the file is empty"):
        evaluate(bundle, listed([bad], ["dark"]))
    with pytest.raises(ManifestError, match=r"labels: \['drak'\]\. It knows \['dark', 'light'\]"):
        evaluate(bundle, listed([dark], ["drak"]))


def result_of(labels: list[str], failures: list[Failure]) -> Evaluation:
    probabilities = np.eye(len(labels))
    counts: FailureMetrics = {"failed": len(failures), "failed_by_class": {}}
    y_true = np.arange(len(labels))
    metrics = single_label_metrics(probabilities, y_true, labels, failures=counts)
    extraction: Any = SimpleNamespace(failures=failures)
    return Evaluation(metrics, probabilities, np.arange(len(labels)), extraction)


HOSTILE = [
    "<script>alert(1)</script>",
    "a & b",
    '"quoted"',
    r"$\frac{x$",
    "cost $5 or $6",
    "{{ 7*7 }}",
]


def test_the_page_stands_alone_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    failure = Failure("<img src=x>.avi", "probe", "VideoError", "it is <b>empty</b>", "empty")
    path = tmp_path / "new" / "page.html"
    write_page(path, result_of(HOSTILE, [failure]), title="x.vidclass on <clips>")
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "x.vidclass on &lt;clips&gt;" in text
    assert "&lt;img src=x&gt;.avi" in text
    assert "it is &lt;b&gt;empty&lt;/b&gt;" in text
    assert "{{ 7*7 }}" in text
    assert "Over 6 clips; 1 further ones could not be read" in text
    assert "100.0 %" in text
    assert not re.search(r"(?:src|href|url|import)\W+(?:https?:)?//", text)
    assert re.findall(r'src="([^"]{0,22})', text) == ["data:image/png;base64,"]
    write_page(path, result_of(["a", "b"], []), title="x")
    assert "Could not be read" not in path.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write .*page\.html: "):
        write_page(tmp_path / "file" / "page.html", result_of(["a", "b"], []), title="x")


def test_the_confusion_matrix_is_drawn_small_and_large(tmp_path: Path) -> None:
    for count in (2, 31):
        metrics = result_of([f"class {k}" for k in range(count)], []).metrics
        figure = confusion_figure(metrics)
        assert len(figure.axes[0].texts) == (2 if count == 2 else 0)
        save_figure(figure, tmp_path / f"{count}.png")
        assert (tmp_path / f"{count}.png").read_bytes().startswith(b"\x89PNG")
