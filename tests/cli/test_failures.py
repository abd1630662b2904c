"""How commands end when clips fail: notes, ledger, closing line, and no score that hides it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from command_line import run
from tiny_set import QUICK, QUICK_OPTIONS, write_set
from vidclass.data.manifest import Manifest
from vidclass.features.extract import extract
from vidclass.features.extractor import feature_extractor
from vidclass.inference.classifier import Classifier
from vidclass.ledger import read_ledger
from vidclass.training.presets import run_config

pytestmark = pytest.mark.slow  # the first test trains

Run = Callable[..., Result]
LOST = "note: 2 clips failed and are in no score: 2 of 6 of 'light'"


@pytest.fixture
def run_stored(tmp_path: Path) -> Run:
    """Run a command on a feature store of this test's own."""

    def invoke(*arguments: object, exit_code: int = 0) -> Result:
        return run(*arguments, "--store", tmp_path / "store", exit_code=exit_code)

    return invoke


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two classes of four good clips; two more of `light` are damaged."""
    folder = write_set(tmp_path / "clips", groups=4)
    for group in ("08", "09"):
        (folder / "light" / f"v_light_g{group}_c01.avi").write_text("damaged")
    return folder


def last(result: Result) -> str:
    return result.stderr.splitlines()[-1]


def test_extract_reports_remembered_failures(run_stored: Run, clips: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "out.jsonl"
    command = ["extract", clips, "--ledger", ledger, *QUICK_OPTIONS]
    first = run_stored(*command)
    assert LOST in first.stderr.splitlines()
    assert last(first) == f"8 ok, 2 failed (listed in {ledger})"
    rows = read_ledger(ledger)
    again = run_stored(*command)
    assert "note: 2 clips failed before and were not tried again; --retry-failed" in again.stderr
    assert (last(again), read_ledger(ledger)) == (last(first), rows)
    assert "failed before" not in run_stored(*command, "--retry-failed").stderr
    strict = run_stored(*command, "--strict", exit_code=1)
    assert last(strict) == f"8 ok, 1 failed (listed in {ledger})"
    assert read_ledger(ledger) == rows[:1]
    for row in rows:
        Path(row.video).unlink()
    assert last(run_stored(*command)) == "8 ok, 0 failed"
    assert not ledger.exists()


def test_extract_of_nothing_readable_has_failed(
    run_stored: Run, clips: Path, tmp_path: Path
) -> None:
    for video in clips.rglob("*.avi"):
        video.write_text("damaged")
    ledger = tmp_path / "out.jsonl"
    done = run_stored("extract", clips, "--ledger", ledger, *QUICK_OPTIONS, exit_code=1)
    assert last(done) == f"0 ok, 10 failed (listed in {ledger})"
    assert "note: no clip of 'dark' could be read: this class is left out" in done.stderr


@pytest.mark.parametrize("command", ["train", "crossval", "evaluate"])
def test_nothing_readable_ends_with_a_ledger_too(
    run_stored: Run, clips: Path, tiny_run: Path, tmp_path: Path, command: str
) -> None:
    for video in clips.rglob("*.avi"):
        video.write_text("damaged")
    out, file = tmp_path / "out", tmp_path / "out.json"
    arguments: list[object] = [clips, "--folds", 2, "--json", file, *QUICK_OPTIONS]
    if command == "train":
        arguments = [clips, "--out", out, *QUICK_OPTIONS]
    if command == "evaluate":
        arguments = [tiny_run, clips, "--json", file]
    done = run_stored(command, *arguments, exit_code=1)
    ledger = out / "ledger.jsonl" if command == "train" else Path(f"{file}.ledger.jsonl")
    assert "error: none of the 10 clips could be read. The first one: " in done.stderr
    assert last(done) == f"0 ok, 10 failed (listed in {ledger})"
    assert len(read_ledger(ledger)) == 10


def test_train_reports_failed_clips(run_stored: Run, clips: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "clips.csv", tmp_path / "run"
    splits = ["train", "train", "validation", "test", "train", "test"]
    rows = [
        f"{video},{label},{split}"
        for label in ("dark", "light")
        for video, split in zip(sorted((clips / label).iterdir()), splits, strict=False)
    ]
    table.write_text("video,label,split\n" + "\n".join(rows) + "\n")
    command = ["train", table, "--out", out, "--epochs", 2, "--head", "mean", *QUICK_OPTIONS]
    strict = run_stored(*command, "--strict", exit_code=1)
    assert last(strict).endswith(f" ok, 1 failed (listed in {out / 'ledger.jsonl'})")
    done = run_stored(*command)
    assert LOST in done.stderr.splitlines()
    assert last(done) == f"8 ok, 2 failed (listed in {out / 'ledger.jsonl'})"
    tested = next(line for line in done.stdout.splitlines() if line.startswith("test: "))
    assert tested.endswith(" on 2 clips; 1 more failed")
    row = next(line for line in done.stdout.splitlines() if line.startswith("│ light"))
    assert re.findall(r"[\d.]+", row)[:2] == ["1", "1"]
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["test"]["failed"], metrics["test"]["failed_by_class"]) == (1, {"light": 1})
    assert metrics["validation"]["failed"] == 0
    facts = json.loads((out / "run.json").read_text())
    assert (facts["failed"], facts["failed_by_class"]) == (2, {"light": 2})


def test_crossval_names_a_class_without_readable_clips(
    run_stored: Run, clips: Path, tmp_path: Path
) -> None:
    for group in range(4):
        video = clips / "gone" / f"v_gone_g{group:02}_c01.avi"
        video.parent.mkdir(exist_ok=True)
        video.write_text("damaged")
    file = tmp_path / "cv.json"
    command = ["crossval", clips, "--folds", 2, "--epochs", 1, "--head", "mean", *QUICK_OPTIONS]
    done = run_stored(*command, "--json", file)
    assert "note: no clip of 'gone' could be read: this class is left out" in done.stderr
    assert last(done) == f"8 ok, 6 failed (listed in {tmp_path / 'cv.json.ledger.jsonl'})"
    value = json.loads(file.read_text())
    assert value["labels"] == ["dark", "light"]
    assert (value["videos"], value["failed"]) == (8, 6)
    assert value["failed_by_class"] == {"gone": 4, "light": 2}
    row = next(line for line in done.stdout.splitlines() if line.startswith("│ gone"))
    assert re.findall(r"\d+", row) == ["0", "4"]


def test_evaluate_reports_failed_clips(
    run_stored: Run, clips: Path, tiny_run: Path, tmp_path: Path
) -> None:
    for video in (clips / "light").iterdir():
        video.write_text("damaged")
    file, page = tmp_path / "m.json", tmp_path / "page.html"
    done = run_stored("evaluate", tiny_run, clips, "--json", file, "--report", page)
    assert done.stdout.splitlines()[0].endswith(" on 4 clips; 6 more failed")
    assert "note: no clip of 'light' could be read: this class is left out" in done.stderr
    assert last(done) == f"4 ok, 6 failed (listed in {file}.ledger.jsonl)"
    value = json.loads(file.read_text())
    assert (value["failed"], value["failed_by_class"]) == (6, {"light": 6})
    text = page.read_text(encoding="utf-8")
    assert "6 further ones could not be read" in text
    assert "<p>No clip of light could be read: this class is left out.</p>" in text
    assert "<td>light</td><td>0</td><td>6</td>" in text
    strict = run_stored("evaluate", tiny_run, clips, "--strict", exit_code=1)
    assert last(strict) == "4 ok, 1 failed"


def test_predict_ends_with_a_closing_line_and_leaves_no_old_ledger(
    clips: Path, tiny_run: Path, tmp_path: Path
) -> None:
    good = clips / "dark" / "v_dark_g00_c01.avi"
    bad = clips / "light" / "v_light_g08_c01.avi"
    file = tmp_path / "p.json"
    ledger = tmp_path / "p.json.ledger.jsonl"
    command = ["predict", tiny_run, "--json", file]
    done = run(*command, good, bad)
    assert last(done) == f"1 ok, 1 failed (listed in {ledger})"
    strict = run(*command, good, bad, "--strict", exit_code=1)
    assert last(strict) == f"1 ok, 1 failed (listed in {ledger})"
    assert [row.video for row in read_ledger(ledger)] == [str(bad)]
    assert last(run(*command, good)) == "1 ok, 0 failed"
    assert not ledger.exists()


def test_a_damaged_clip_changes_no_other(tiny_run: Path, clips: Path, tmp_path: Path) -> None:
    config = run_config(features=QUICK).features
    both = Manifest.from_source(clips)
    with_damage = extract(both, feature_extractor(config), store_folder=tmp_path / "a")
    classifier = Classifier.load(tiny_run / "model.vidclass")
    mixed = {
        item.video: item.scores for item in classifier.predict_each(map(str, clips.rglob("*.avi")))
    }
    for video in (failure.video for failure in with_damage.failures):
        assert mixed.pop(video) == {}
        Path(video).unlink()
    alone = extract(
        Manifest.from_source(clips), feature_extractor(config), store_folder=tmp_path / "b"
    )
    good = [clip for clip in with_damage.clips if clip is not None]
    for clip, other in zip(good, alone.clips, strict=True):
        assert other is not None
        np.testing.assert_array_equal(clip.features, other.features)
        np.testing.assert_array_equal(clip.timestamps_s, other.timestamps_s)
    sound = {item.video: item.scores for item in classifier.predict_each(mixed)}
    assert list(sound) == list(mixed)
    for video, scores in mixed.items():
        assert sound[video] == pytest.approx(scores, abs=1e-6)
    shutil.rmtree(tmp_path / "a")
