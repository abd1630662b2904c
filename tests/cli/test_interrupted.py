"""Ctrl-C in the middle: finished clips are kept, one line says so, the exit code is 130."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CLIPS = 60
# `vidclass extract` with a made-up network; it makes a file once it has run AFTER times.
EXTRACT = """
import sys, time
from pathlib import Path
marker, after = Path(sys.argv[1]), int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
from fake_network import FakeExtractor, MeanColour
from vidclass.cli.main import app
from vidclass.features import extractor

class Watched(MeanColour):
    def run(self, **inputs):
        if len(self.batches) == after:
            marker.touch()
        time.sleep(0.02)
        return super().run(**inputs)

fake = FakeExtractor()
fake.network = Watched()
extractor.feature_extractor = lambda *_, **__: fake.extractor()
app(sys.argv[4:])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGINT to send")
def test_ctrl_c_keeps_the_finished_clips(tmp_path: Path, tiny_video: Callable[..., Path]) -> None:
    model = tiny_video("model.avi", frames=8, size=(32, 32)).read_bytes()
    for number in range(CLIPS):
        path = tmp_path / "clips" / "ab"[number % 2] / f"{number:03}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model + number.to_bytes(4, "little"))
    fakes = Path(__file__).parents[1] / "support"
    options = ["extract", tmp_path / "clips", "--store", tmp_path / "store"]

    def command(after: int) -> list[str]:
        arguments = [tmp_path / f"marker{after}", after, fakes, *options]
        return [sys.executable, "-c", EXTRACT, *map(str, arguments)]

    pipe = subprocess.PIPE
    process = subprocess.Popen(command(20), stdout=pipe, stderr=pipe, text=True)
    while not (tmp_path / "marker20").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == "interrupted: everything finished so far is kept\n"

    again = subprocess.run(command(-1), capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    extracted, stored = (int(word) for word in again.stdout.split() if word.isdigit())
    assert extracted + stored == CLIPS
    assert 19 <= stored <= 30
