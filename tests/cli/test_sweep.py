"""`vidclass sweep`: what it prints and writes, and what is left when it is cut short."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from command_line import run

pytestmark = pytest.mark.slow

# `vidclass sweep` with made-up trials of a tenth of a second; from the third on they take long.
SWEEP = """
import sys, time
from pathlib import Path
from vidclass.cli.main import app
from vidclass.sweeping.trial import TrialRunner

marker, long = Path(sys.argv[1]), sys.argv[2] == "long"
count = 0

def run(self, point, others, save):
    global count
    count += 1
    save(route=f"process {sys.argv[3]}", setting=str(point.frames))
    if count == 3 and long:
        marker.touch()
        time.sleep(60)
    accuracy = 0.5 + point.frames / 100
    save(
        folds=[{"fold": k, "accuracy": accuracy, "videos": 5} for k in range(2)],
        accuracy_mean=accuracy,
        accuracy_interval=[accuracy - 0.1, accuracy + 0.1],
        ms_per_clip=float(point.frames),
    )
    return accuracy, float(point.frames)

TrialRunner.run = run
TrialRunner.measure_together = lambda self, points: {str(p.frames): float(p.frames) for p in points}
app(sys.argv[4:])
"""


def sweep(*arguments: object, exit_code: int = 0) -> Result:
    return run("sweep", *arguments, exit_code=exit_code)


def test_a_whole_sweep(tiny_set: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "my sweep", tmp_path / "store"
    options = [
        tiny_set,
        "--out",
        out,
        "--store",
        store,
        "--weights",
        "random",
        "--size",
        "32",
        "--frames",
        "5",
        "--backbones",
        "efficientnet_lite0,InceptionV3",
        "--heads",
        "mean",
        "--folds",
        2,
        "--epochs",
        2,
    ]
    done = sweep(*options)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("mean accuracy, ± over folds, 95 % interval over clips")
    assert re.fullmatch(
        r" +# +accuracy +folds +95 % +ms/clip +backbone +size +frames +head *", lines[2]
    )
    numbers = r"\d+\.\d % +± \d+\.\d +\d+\.\d-\d+\.\d +\d+\.\d"
    assert re.fullmatch(rf" +0 +\* +{numbers} +efficientnet_lite0 +32 +5 +mean *", lines[4])
    assert lines[6] == (
        "failed: trial 1 (InceptionV3 at 32 pixels, 5 frames, uniform, centre, auto, mean): "
        "ConfigError: size=32 is too small for InceptionV3: Input size must be at least 75x75; "
        "Received: input_shape=(3, 32, 32). Give a larger size; its own is 299"
    )
    assert lines[7] == "to train a classifier of a row:"
    words = shlex.split(lines[8])
    assert words[:6] == ["0:", "vidclass", "train", str(tiny_set), "--store", str(store)]
    assert words[words.index("--out") + 1] == str(out / "run-0")
    assert lines[9:] == [
        f"table:  {out / 'sweep.csv'}",
        f"figure: {out / 'accuracy_against_cost.png'}",
    ]
    assert done.stderr.splitlines()[-1] == "10 ok, 0 failed"
    (row, failed) = json.loads((out / "sweep.json").read_text(encoding="utf-8"))["rows"]
    assert (row["videos"], row["failed"], row["route"]) == (10, 0, "openvino")
    assert (row["head_parameters"], row["head_multiplications"]) == (1280 * 2 + 2, 1280 * 2)
    assert 0 < row["ms_head"] < row["ms_features"] < row["ms_per_clip"]
    assert row["training_s"] > 0
    assert len(row["folds"]) == 2
    with Image.open(out / "accuracy_against_cost.png") as picture:
        assert picture.width > 500

    again = sweep(*options, "--json", "-")
    assert json.loads(again.stdout)["rows"] == [row, failed]
    assert "ok" not in again.stderr  # nothing was left to read
    sweep(*options, "--json", tmp_path / "table.json")
    assert json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))["best"] == 0
    other = sweep(*options, "--seed", 1, exit_code=1)
    assert other.stderr.splitlines()[-1] == (
        f"error: {out} holds a sweep with --seed 0, not 1: name a new folder"
    )


def test_wrong_words_are_exit_code_2(tiny_set: Path, tmp_path: Path) -> None:
    options = [tiny_set, "--out", tmp_path / "sweep"]
    assert "--frames 'x'" in sweep(*options, "--frames", "8,x", exit_code=2).stderr
    assert "--heads []: " in sweep(*options, "--heads", ",", exit_code=2).stderr
    assert "Did you mean 'temporal'?" in sweep(*options, "--heads", "tempral", exit_code=2).stderr
    assert "--sampler 'best'" in sweep(*options, "--sampler", "best", exit_code=2).stderr
    assert not (tmp_path / "sweep").exists()


def test_no_readable_clip_is_exit_code_1(tmp_path: Path) -> None:
    for number in range(8):
        path = tmp_path / "clips" / "ab"[number % 2] / f"{number}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    options = [tmp_path / "clips", "--out", tmp_path / "sweep", "--store", tmp_path / "store"]
    options += ["--weights", "random", "--size", 32, "--frames", 3, "--folds", 2]
    done = sweep(*options, exit_code=1)
    assert "error: none of the 8 clips could be read" in done.stderr
    ledger = tmp_path / "sweep" / "ledger.jsonl"
    assert done.stderr.splitlines()[-1] == f"0 ok, 8 failed (listed in {ledger})"
    assert len(ledger.read_text(encoding="utf-8").splitlines()) == 8


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals to send")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_what_is_cut_short_goes_on(sent: signal.Signals, tiny_set: Path, tmp_path: Path) -> None:
    def command(kind: str, process: int) -> list[str]:
        options = ["sweep", tiny_set, "--out", tmp_path / "sweep", "--folds", 2]
        options += ["--backbones", "efficientnet_lite0", "--heads", "mean", "--frames", "2,4,6,8"]
        arguments = [tmp_path / "marker", kind, process, *options, "--json", "-"]
        return [sys.executable, "-c", SWEEP, *map(str, arguments)]

    pipe = subprocess.PIPE
    process = subprocess.Popen(command("long", 1), stdout=pipe, stderr=pipe, text=True)
    while not (tmp_path / "marker").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(sent)
    output, errors = process.communicate(timeout=60)
    assert output == ""
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert errors.splitlines()[-1] == "interrupted: everything finished so far is kept"
    kept = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))["rows"]
    assert [row["number"] for row in kept] == [1, 0]

    again = subprocess.run(command("quick", 2), capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    rows = json.loads(again.stdout)["rows"]
    # The third trial was never done; what was done by the first process is its own.
    assert [(row["number"], row["frames"], row["route"]) for row in rows] == [
        (4, 8, "process 2"),
        (3, 6, "process 2"),
        (1, 4, "process 1"),
        (0, 2, "process 1"),
    ]
