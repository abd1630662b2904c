"""Whole commands on tiny videos: what they print, what they write, how they end."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from command_line import run
from tiny_set import QUICK_OPTIONS, write_set
from vidclass.inference.classifier import Classifier

pytestmark = pytest.mark.slow  # the first test trains


@pytest.fixture(scope="module")
def bundle(tiny_run: Path) -> Path:
    return tiny_run / "model.vidclass"


@pytest.fixture(scope="module")
def dark(tiny_set: Path) -> Path:
    return tiny_set / "dark" / "v_dark_g00_c01.avi"


@pytest.fixture(scope="module")
def light(tiny_set: Path) -> Path:
    return tiny_set / "light" / "v_light_g00_c01.avi"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.avi"
    path.write_bytes(b"")
    return path


def test_train_predict_evaluate_crossval(tmp_path: Path) -> None:
    clips, out = write_set(tmp_path / "clips", groups=4), tmp_path / "run"
    options = [*QUICK_OPTIONS, "--store", tmp_path / "store"]
    done = run("train", clips, "--out", out, "--epochs", 12, "--head", "temporal", *options)
    lines = done.stdout.splitlines()
    assert lines[0] == "clips: 4 train, 2 validation, 2 test"
    assert re.fullmatch(r"best epoch: \d+", lines[1])
    share = r"\d+\.\d %"
    summary = rf"accuracy {share} \(95 % interval {share} to {share}\) on 2 clips"
    assert re.fullmatch(f"validation: {summary}", lines[2])
    assert re.fullmatch(f"test: {summary}", lines[3])
    assert "precision" in done.stdout
    assert lines[-1] == f"bundle: {out / 'model.vidclass'}"
    assert done.stderr.splitlines()[0].startswith("note: 8 groups of 8 clips taken from")
    assert done.stderr.splitlines()[-1] == "8 ok, 0 failed"

    again = run("train", clips, "--out", out, *options, exit_code=1)
    assert again.stdout == ""
    assert "error: " in again.stderr
    assert "holds a finished run" in again.stderr

    done = run("predict", out, clips / "dark", "--top", 1)
    assert len(done.stdout.splitlines()) == 8
    assert done.stderr == "4 ok, 0 failed\n"

    done = run("evaluate", out, out / "split.csv", "--split", "test", "--json", "-", *options[-2:])
    metrics = json.loads((out / "metrics.json").read_text())["test"]
    assert json.loads(done.stdout) == metrics

    done = run("crossval", clips, "--folds", 2, "--epochs", 2, "--head", "mean", *options)
    assert "head: mean" in done.stdout
    assert re.search(rf"mean accuracy {share}, deviation over folds {share}\n", done.stdout)
    assert done.stderr.splitlines()[-1] == "8 ok, 0 failed"
    done = run(
        "crossval", clips, "--folds", 2, "--epochs", 2, "--head", "mean", "--json", "-", *options
    )
    value = json.loads(done.stdout)
    assert (value["head"], value["videos"], len(value["folds"])) == ("mean", 8, 2)


def test_a_bad_file_among_good_ones(bundle: Path, dark: Path, light: Path, bad: Path) -> None:
    done = run("predict", bundle, dark, bad, light)
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [f"{dark}:", f"{light}:"]
    assert re.fullmatch(r"  dark: +\d+\.\d %", lines[1])
    assert re.fullmatch(r"  light: +\d+\.\d %", lines[2])
    assert done.stderr.splitlines() == [
        f"failed: {bad}: the file is empty (0 bytes). Copy or download it again.",
        "2 ok, 1 failed",
    ]
    strict = run("predict", bundle, dark, bad, light, "--strict", exit_code=1)
    assert strict.stdout == ""
    assert strict.stderr.startswith(f"error: {bad}: the file is empty")
    assert "0 ok, 1 failed" in run("predict", bundle, bad, exit_code=1).stderr


def test_many_failures_are_shown_in_part(bundle: Path, tmp_path: Path) -> None:
    missing = [tmp_path / f"{k}.avi" for k in range(7)]
    done = run("predict", bundle, *missing, exit_code=1)
    lines = done.stderr.splitlines()
    assert [line[:7] for line in lines[:5]] == ["failed:"] * 5
    assert lines[5:] == ["... and 2 more", "0 ok, 7 failed"]


def test_json_and_csv(bundle: Path, dark: Path, light: Path, bad: Path, tmp_path: Path) -> None:
    done = run("predict", bundle, dark, bad, "--json", "-", "--csv", tmp_path / "new" / "t.csv")
    value = json.loads(done.stdout)
    assert value["schema"] == 1
    good, failed = value["predictions"]
    assert good["scores"] == pytest.approx(Classifier.load(bundle).predict(dark).scores, abs=1e-4)
    assert failed["error"]["type"] == "VideoError"
    rows = list(
        csv.DictReader(io.StringIO((tmp_path / "new" / "t.csv").read_text(encoding="utf-8")))
    )
    assert rows[0] == {
        "video": str(dark),
        "label": "dark",
        "probability": str(good["probability"]),
        "error": "",
        "dark": str(good["scores"]["dark"]),
        "light": str(good["scores"]["light"]),
    }
    assert (rows[1]["label"], rows[1]["dark"]) == ("", "")
    assert "the file is empty" in rows[1]["error"]

    done = run("predict", bundle, light, "--csv", "-", "--json", tmp_path / "t.json")
    header, row = csv.reader(io.StringIO(done.stdout))
    assert header == ["video", "label", "probability", "error", "dark", "light"]
    assert row[:2] == [str(light), "light"]
    written = json.loads((tmp_path / "t.json").read_text())
    assert written["predictions"][0]["video"] == str(light)

    done = run("predict", bundle, dark, "--json", "-", "--csv", "-", exit_code=2)
    assert done.stdout == ""
    assert "--json - and --csv - both want standard output" in done.stderr
    done = run("predict", bundle, dark, "--json", bad / "below.json", exit_code=2)
    assert f"error: cannot write {bad / 'below.json'}: " in done.stderr


def test_gifs(bundle: Path, dark: Path, light: Path, bad: Path, tmp_path: Path) -> None:
    run("predict", bundle, dark, "--gif", tmp_path / "one.gif")
    with Image.open(tmp_path / "one.gif") as image:
        assert (image.format, image.n_frames) == ("GIF", 5)
    run("predict", bundle, dark, bad, light, "--gif", tmp_path / "gifs")
    names = sorted(path.name for path in (tmp_path / "gifs").iterdir())
    assert names == ["0001.gif", "0003.gif"]


def test_folders(bundle: Path, tiny_set: Path, dark: Path, tmp_path: Path) -> None:
    done = run("predict", bundle, tiny_set, dark, "--json", "-")
    videos = [item["video"] for item in json.loads(done.stdout)["predictions"]]
    assert videos == [*sorted(map(str, tiny_set.rglob("*.avi"))), str(dark)]
    (tmp_path / "empty").mkdir()
    done = run("predict", bundle, tmp_path / "empty", exit_code=2)
    assert f"error: {tmp_path / 'empty'} holds no video (.3gp, " in done.stderr


def test_image_sequences(bundle: Path, dark: Path, tmp_path: Path) -> None:
    clips = [tmp_path / "set" / name for name in ("a", "b")]
    for clip in clips:
        clip.mkdir(parents=True)
        for number in range(1, 9):
            Image.new("RGB", (32, 32), (9, 9, 9)).save(clip / f"img_{number:05}.png")
    done = run("predict", bundle, tmp_path / "set", dark, "--fps", 4, "--json", "-")
    predictions = json.loads(done.stdout)["predictions"]
    assert [item["video"] for item in predictions] == [*map(str, clips), str(dark)]
    assert not any(item["error"] for item in predictions)
    done = run("predict", bundle, clips[0], exit_code=2)
    assert f"error: {clips[0]} holds images: if they are one video, give its --fps" in done.stderr


def test_evaluate(bundle: Path, tiny_set: Path, bad: Path, tmp_path: Path) -> None:
    report, store = tmp_path / "page.html", ["--store", tmp_path / "store"]
    done = run("evaluate", bundle, tiny_set, "--report", report, *store)
    assert done.stdout.startswith("accuracy 100.0 % (95 % interval ")
    assert done.stderr.splitlines()[-1] == "10 ok, 0 failed"
    assert "model.vidclass on " in report.read_text(encoding="utf-8")
    table = tmp_path / "clips.csv"
    table.write_text(f"video,label\n{tiny_set}/dark/v_dark_g00_c01.avi,dark\n{bad},light\n")
    done = run("evaluate", bundle, table, "--json", tmp_path / "m.json", *store)
    value = json.loads((tmp_path / "m.json").read_text())
    assert (value["videos"], value["failed"]) == (1, 1)
    ledger = tmp_path / "m.json.ledger.jsonl"
    assert done.stderr.splitlines()[-1] == f"1 ok, 1 failed (listed in {ledger})"
    assert [json.loads(line)["video"] for line in ledger.read_text().splitlines()] == [str(bad)]
    assert run("evaluate", bundle, table, "--strict", *store, exit_code=1).stdout == ""
    done = run("evaluate", bundle, table, "--split", "test", exit_code=1)
    assert "has no clips of the split 'test'" in done.stderr
    done = run("evaluate", bundle, table, "--split", "tset", exit_code=2)
    assert "Did you mean 'test'?" in done.stderr
    done = run("evaluate", tmp_path, table, exit_code=1)
    assert "is not a finished run" in done.stderr
    done = run("evaluate", tmp_path / "no.vidclass", table, exit_code=1)
    assert "there is no such bundle" in done.stderr


def test_data_split(tiny_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    done = run("data", "split", tiny_set, "--out", out, "--test", 0.4)
    counts = pl.read_csv(out)["split"].value_counts()
    assert dict(counts.rows()) == {"train": 4, "validation": 2, "test": 4}
    for label in ("dark", "light"):
        row = next(line for line in done.stdout.splitlines() if f" {label} " in line)
        assert re.findall(r"\d+ \(\d+\)", row) == ["2 (2)", "1 (1)", "2 (2)"]
