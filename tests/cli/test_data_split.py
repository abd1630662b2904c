"""`vidclass data split`, and groups on the command line of what trains."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from command_line import run
from tiny_set import QUICK_OPTIONS, write_clip, write_set
from vidclass.video.write import write_video


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """A folder of two classes with three recordings of two clips each; files are no videos."""
    for label in ("run", "walk"):
        for number in range(6):
            video = (
                tmp_path / "set" / label / f"{label}{number // 2}" / f"p{number // 2}_{number}.avi"
            )
            video.parent.mkdir(parents=True, exist_ok=True)
            video.write_text(str(video))
    return tmp_path / "set"


def row_of(table: str, label: str) -> list[str]:
    line = next(line for line in table.splitlines() if f" {label} " in line)
    return [cell.strip() for cell in line.strip("│ ").split("│")][1:]


@pytest.mark.parametrize("options", [("--groups", "parent"), ("--group-pattern", r"(\w+)/p\d_")])
def test_clips_and_groups_of_each_part_are_shown(
    nested: Path, tmp_path: Path, options: tuple[str, str]
) -> None:
    out = tmp_path / "split.csv"
    done = run("data", "split", nested, "--out", out, *options)
    assert "6 groups of 12 clips taken from the" in done.stderr
    assert row_of(done.stdout, "run") == ["2 (1)", "2 (1)", "2 (1)"]
    assert row_of(done.stdout, "all") == ["4 (2)", "4 (2)", "4 (2)"]
    written = pl.read_csv(out)
    assert written.group_by("group").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 6
    # What was written is a source in which nothing is left to divide.
    again = run("data", "split", out, "--out", tmp_path / "again.csv")
    assert "group" not in again.stderr
    assert pl.read_csv(tmp_path / "again.csv").equals(written)


def test_folds_instead(nested: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds.csv"
    done = run("data", "split", nested, "--out", out, "--folds", 3, "--groups", "parent")
    assert [word for word in done.stdout.split() if word == "fold"] == ["fold"] * 3
    assert row_of(done.stdout, "walk") == ["2 (1)", "2 (1)", "2 (1)"]
    written = pl.read_csv(out)
    assert sorted(written["fold"]) == [0] * 4 + [1] * 4 + [2] * 4
    assert written["split"].is_null().all()


def test_json_on_standard_output_stands_alone(nested: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    done = run("data", "split", nested, "--out", out, "--groups", "none", "--json", "-")
    value = json.loads(done.stdout)
    assert list(value) == ["schema", "out", "column", "parts", "classes", "notes"]
    assert (value["schema"], value["out"], value["column"]) == (1, str(out), "split")
    assert list(value["parts"]) == ["train", "validation", "test"]
    assert value["classes"]["run"]["test"] == {"clips": 1, "groups": 1}
    assert "each video is its own group" in value["notes"][0]


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--group-pattern", "("], 2, r"--group-pattern '(' is not a regular expression"),
        (["--group-pattern", "(q)"], 1, "--group-pattern '(q)' finds no group in 'run/run0/p0_0"),
        (["--groups", "parents"], 2, "--groups 'parents'"),
        (["--groups", "none", "--group-pattern", "(a)"], 2, "has no use with --groups 'none'."),
        (["--folds", "2", "--test", "0.3"], 2, "--test has no use with --folds"),
        (["--folds", "2", "--allow-leak"], 2, "--allow-leak has no use with --folds"),
        (["--groups", "parent", "--folds", "5"], 1, "'run' has 3 groups (6 clips)"),
    ],
)
def test_what_is_refused(
    nested: Path, tmp_path: Path, options: list[str], exit_code: int, message: str
) -> None:
    out = tmp_path / "split.csv"
    done = run("data", "split", nested, "--out", out, *options, exit_code=exit_code)
    assert message in done.stderr
    assert not out.exists()


def test_copies_are_put_on_one_side(nested: Path, tmp_path: Path) -> None:
    first, copy = nested / "run/run0/p0_0.avi", nested / "run/run2/p2_5.avi"
    write_clip(first, "light")
    shutil.copy(first, copy)
    out = tmp_path / "split.csv"
    done = run("data", "split", nested, "--out", out, "--groups", "none")
    names = " = ".join(repr(str(Path(*video.parts[-2:]))) for video in (first, copy))
    assert f"the same content under several names stays on one side: {names}." in done.stderr
    copies = pl.read_csv(out).filter(pl.col("video").is_in([str(first), str(copy)]))
    assert copies["split"].n_unique() == 1


def unlike_pictures() -> list[NDArray[np.floating]]:
    """Six pictures (96,128,3) that a network for photographs does not take for one another."""
    y, x = np.mgrid[0:96, 0:128] / 96
    rng = np.random.default_rng(0)
    grey = [
        (y * 12 % 1 > 0.5) * 200.0,
        ((x - 0.6) ** 2 + (y - 0.5) ** 2 < 0.1) * 220.0,
        rng.integers(0, 256, (96, 128)),
        ((x * 6).astype(int) + (y * 6).astype(int)) % 2 * 255.0,
        x * 190,
        (np.abs(x - y) < 0.1) * 150.0 + (np.abs(x + y - 1) < 0.05) * 100,
    ]
    tints = [(1, 1, 1), (1, 0.2, 0.1), (1, 1, 1), (1, 1, 1), (0.2, 0.5, 1), (0.3, 1, 0.3)]
    return [level[..., None] * np.array(tint) for level, tint in zip(grey, tints, strict=True)]


@pytest.mark.slow
def test_near_duplicates_are_put_on_one_side(tmp_path: Path) -> None:
    for number, picture in enumerate(unlike_pictures()):
        rng = np.random.default_rng(number)
        for copy, grain in (("a", 1), ("b", 4)):
            noise = rng.integers(-grain, grain + 1, (6, 96, 128, 1))
            frames = list(np.clip(picture + noise, 0, 255).astype(np.uint8))
            video = tmp_path / "set" / "xy"[number % 2] / f"{number}{copy}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            write_video(video, frames, fps=6)
    (tmp_path / "set" / "x" / "broken.mp4").write_text("no video")
    out = tmp_path / "split.csv"
    done = run("data", "split", tmp_path / "set", "--out", out, "--groups", "near-duplicates")
    assert "12 ok, 1 failed" in done.stderr
    assert "near duplicates joined 12 clips: 13 videos and groups to keep apart became 7." in (
        done.stderr
    )
    assert (tmp_path / "split.csv.ledger.jsonl").exists()
    rows = pl.read_csv(out).with_columns(scene=pl.col("video").str.extract(r"(\d)[ab]\.mp4"))
    assert (
        rows.filter(pl.col("scene").is_not_null())
        .group_by("scene")
        .agg(pl.col("split").n_unique())["split"]
        .to_list()
        == [1] * 6
    )


@pytest.mark.slow
def test_training_and_crossval_take_groups(tmp_path: Path) -> None:
    clips = write_set(tmp_path / "set", groups=4)
    options = [*QUICK_OPTIONS, "--epochs", 1, "--group-pattern", r"(v_\w+)_c"]
    run("train", clips, "--out", tmp_path / "run", "--head", "mean", *options)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["split"]["groups"] == "auto"
    assert config["split"]["group_pattern"] == r"(v_\w+)_c"
    done = run(
        "crossval", clips, "--folds", 2, *options[:-2], "--groups", "near-duplicates", exit_code=1
    )
    assert "too small for 2 folds" in done.stderr  # by a random network all clips are alike


@pytest.mark.slow
def test_copies_across_given_sides_are_a_leak(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.avi", "dark")
    rows = [f"{video},dark,train,0", f"{write_clip(tmp_path / 'c.avi', 'light')},light,train,0"]
    rows += [f"{shutil.copy(video, tmp_path / 'b.avi')},dark,test,1"]
    rows += [f"{write_clip(tmp_path / 'd.avi', 'light', 3)},light,test,1"]
    table = tmp_path / "clips.csv"
    table.write_text("video,label,split,fold\n" + "\n".join(rows) + "\n")
    for command in (["train", table, "--out", tmp_path / "run"], ["crossval", table]):
        done = run(*command, *QUICK_OPTIONS, exit_code=1)
        assert "a leak: the clips of group: copies of" in done.stderr
        assert "'a.avi' in" in done.stderr
        assert "'b.avi' in" in done.stderr
    assert not (tmp_path / "run").exists()
