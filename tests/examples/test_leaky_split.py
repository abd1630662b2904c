from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.video.write import write_video

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "leaky_split.py"


def recording(colour: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Eight frames (8,32,32,3) of one colour, with a little noise."""
    noise = np.random.default_rng(seed).integers(-6, 7, (8, 32, 32, 3))
    return np.clip(colour.astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of each of fifteen places; a place tells nothing about the class."""
    colours = np.random.default_rng(3).integers(20, 236, (15, 3)).astype(np.uint8)
    for group, colour in enumerate(colours):
        label = "abc"[group % 3]
        for number in range(3):
            path = tmp_path / "clips" / label / f"v_{label}_g{group:02}_c{number:02}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, recording(colour, 10 * group + number), fps=8)
    return tmp_path / "clips"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_colours_recognise_places_not_classes(clips: Path) -> None:
    (clips / "a" / "broken_g99_c00.mp4").write_bytes(b"no video")
    done = run(clips)
    assert done.returncode == 0, done.stderr
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    by_clip, by_group = (
        float(rows[name].split("│")[2].strip().rstrip("%"))
        for name in ("folds drawn clip by clip", "folds of whole groups")
    )
    assert by_clip > 90
    assert by_group < 60
    assert "33.3%" in rows["(always the largest class)"]
    assert "broken_g99_c00.mp4: is not a video" in done.stderr
