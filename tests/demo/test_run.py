"""The whole demo on half of its clips; `scripts/demo` runs it at full size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from vidclass.cli.main import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, CliRunner().invoke(app, ["demo", "--small", "--out", str(folder)])


def accuracies(output: str, head: str) -> tuple[float, float]:
    """Return the accuracy on all classes and on reversal pairs, in per cent, as printed."""
    match = re.search(rf"\({head}\)\D+([\d.]+) %\D+([\d.]+) %", output)
    if match is None:
        raise ValueError(f"no row for {head} in:\n{output}")
    return float(match[1]), float(match[2])


def test_it_succeeds_and_names_its_files(demo: tuple[Path, Result]) -> None:
    folder, result = demo
    assert result.exit_code == 0, result.output
    assert "60 ok, 0 failed" in result.stderr
    for name in ("summary.html", "prediction.gif", "run/model.vidclass", "run/metrics.json"):
        assert (folder / name).is_file(), name
        assert name.split("/")[-1] in result.stdout or name.endswith(".json")


def test_only_order_tells_the_reversal_pairs_apart(demo: tuple[Path, Result]) -> None:
    _, result = demo
    assert accuracies(result.stdout, "mean")[1] <= 65
    everything, pairs = accuracies(result.stdout, "temporal")
    assert pairs >= 95
    assert everything >= 95


def test_the_gif_is_animated_and_the_page_shows_the_accuracies(demo: tuple[Path, Result]) -> None:
    folder, result = demo
    with Image.open(folder / "prediction.gif") as image:
        assert (image.format, image.n_frames) == ("GIF", 20)
    page = (folder / "summary.html").read_text(encoding="utf-8")
    for head in ("mean", "gru", "temporal"):
        assert f"{accuracies(result.stdout, head)[1]:.1f} %" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_probabilities_are_sorted_and_sum_to_one(demo: tuple[Path, Result]) -> None:
    _, result = demo
    block = result.stdout.split("which is ")[1].split("bundle:")[0]
    scores = [float(text) for text in re.findall(r"([\d.]+) %", block)]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(100, abs=0.5)
