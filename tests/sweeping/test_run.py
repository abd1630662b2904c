"""The whole of a sweep around trials that are made up."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import vidclass
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, JobFailedError, RunError, SplitError, StoreError
from vidclass.evaluation import figures
from vidclass.sweeping import run as module
from vidclass.sweeping.config import Point, SweepConfig, SweepSpace
from vidclass.sweeping.result import Row, SweepResult
from vidclass.sweeping.run import sweep, training_side
from vidclass.sweeping.trial import Pruned, Runner

SPACE = SweepSpace(
    backbone=("efficientnet_lite0",), frames=(4, 8), head=("mean", "temporal", "gru")
)
ACCURACY = {"mean": 0.5, "temporal": 0.75}


def clips(splits: Sequence[str | None] | None = None) -> Manifest:
    """Twelve clips of two classes in six groups."""
    columns: dict[str, Any] = {
        "video": [f"/clips/{row:02}.avi" for row in range(12)],
        "label": ["a", "b"] * 6,
        "group": [f"g{row // 2}" for row in range(12)],
    }
    if splits is not None:
        columns["split"] = list(splits)
    return Manifest(Rows.from_columns(columns, []).table, ("a note",))


class Made:
    """Stands in for trials: `gru` cannot be had, `temporal` is best, longer clips cost more."""

    def __init__(self) -> None:
        self.tried: list[tuple[int, str]] = []
        self.others: list[list[int]] = []
        self.raises: dict[int, BaseException] = {}
        self.compared: list[list[int]] = []

    def run(self, runner: Runner, point: Point, others: Sequence[Row], keep: Any) -> Any:
        count = len(self.tried)
        self.tried.append((point.frames, point.head))
        self.others.append([row.number for row in others])
        runner.read = len(runner.manifest)
        if count in self.raises:
            raise self.raises[count]
        if point.head == "gru":
            raise ConfigError("head='gru' is out of stock.")
        accuracy, ms = ACCURACY[point.head] + point.frames / 100, 1.5 * point.frames
        keep(folds=[{"fold": k, "accuracy": accuracy, "videos": 6} for k in range(2)])
        keep(
            precision="f32", setting=f"{point.frames} frames", machine="a busy processor",
            ms_per_clip=ms, ms_features=ms - 0.5, ms_head=0.5, accuracy_mean=accuracy,
            accuracy_std=0.0, accuracy=accuracy, videos=12, failed=0, training_s=2.0,
            accuracy_interval=[accuracy - 0.1, accuracy + 0.1], route="openvino",
            head_parameters=10, head_multiplications=100,
        )  # fmt: skip
        return accuracy, ms

    def costs_together(self, points: Sequence[Point]) -> dict[str, float]:
        """Less than was measured in the trials, when the machine was busy."""
        self.compared.append([point.frames for point in points])
        return {f"{point.frames} frames": float(point.frames) for point in points}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.setattr(Runner, "run", lambda self, *rest: made.run(self, *rest))
    monkeypatch.setattr(Runner, "costs_together", lambda _, points: made.costs_together(points))
    monkeypatch.setattr(module, "this_machine", lambda: "a processor")
    # Drawing takes long, and has a test of its own.
    monkeypatch.setattr(figures, "save_figure", lambda _, path: path.touch())
    return made


def run(out: Path, space: SweepSpace = SPACE, **config: Any) -> SweepResult:
    return sweep(clips(), out, space, SweepConfig(folds=2, **config))


def test_the_public_name() -> None:
    assert vidclass.sweep is sweep
    assert (vidclass.SweepSpace, vidclass.SweepConfig) == (SweepSpace, SweepConfig)


def test_rows_files_and_notes(made: Made, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep")
    assert made.tried == [(f, h) for f in (4, 8) for h in ("mean", "temporal", "gru")]
    assert made.others == [[], [0], [0, 1], [0, 1], [0, 1, 3], [0, 1, 3, 4]]
    assert [(row.number, row.state, row.pareto) for row in result.rows] == [
        (4, "complete", True), (1, "complete", True), (3, "complete", False),
        (0, "complete", False), (2, "failed", False), (5, "failed", False),
    ]  # fmt: skip
    assert result.best is result.rows[0]
    assert result.accuracy_of_choosing == pytest.approx(0.83)
    assert result.notes[0] == "a note"
    assert result.notes[1].startswith("no test split is given, so every clip has a say")
    assert result.notes[2] == (
        "the best row was chosen among 4 on the clips that it is scored on: its accuracy is "
        "optimistic; chosen on the other folds each time, the best gets 83.0 %"
    )
    assert sorted(path.name for path in result.folder.iterdir()) == [
        ".sweep.lock", "accuracy_against_cost.png", "sweep.csv", "sweep.db", "sweep.json",
    ]  # fmt: skip


def test_the_json_and_the_table_say_the_same(made: Made, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep", trials=3, sampler="grid", weights="random")
    value = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))
    assert list(value) == [
        "schema", "best", "accuracy_of_choosing", "trials", "rows", "space", "config", "notes",
    ]  # fmt: skip
    assert (value["schema"], value["best"]) == (1, 1)
    assert value["trials"] == {"complete": 2, "pruned": 0, "failed": 1}
    assert value["space"]["frames"] == [4, 8]
    command = (
        "vidclass train SOURCE --backbone efficientnet_lite0 --frames 4 --size 224 --sampling "
        "uniform --crop centre --precision f32 --head temporal --seed 0 --out "
        f"{shlex.quote(str(tmp_path / 'sweep' / 'run-1'))} --weights random"
    )
    assert value["rows"][0] == {
        "number": 1, "state": "complete", "pareto": True, "backbone": "efficientnet_lite0",
        "frames": 4, "size": 224, "head": "temporal", "sampling": "uniform", "crop": "centre",
        "precision": "f32", "folds": [{"fold": k, "accuracy": 0.79, "videos": 6} for k in (0, 1)],
        "accuracy_mean": 0.79, "accuracy_std": 0.0, "accuracy": 0.79,
        "accuracy_interval": [0.79 - 0.1, 0.79 + 0.1], "videos": 12, "failed": 0,
        "ms_per_clip": 4.5, "ms_features": 4.0, "ms_head": 0.5, "head_parameters": 10,
        "head_multiplications": 100, "training_s": 2.0, "route": "openvino",
        "machine": "a processor", "reason": "", "command": command,
    }  # fmt: skip
    failed = value["rows"][-1]
    assert failed["reason"] == "ConfigError: head='gru' is out of stock."
    assert (failed["accuracy_mean"], failed["accuracy_interval"]) == (None, None)
    with (tmp_path / "sweep" / "sweep.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    for written, row in zip(table, value["rows"], strict=True):
        for name in set(written) - {"accuracy_low", "accuracy_high"}:
            assert written[name] == ("" if row[name] is None else str(row[name]))
    assert float(table[0]["accuracy_low"]) == pytest.approx(0.69)
    assert [row.command for row in result.rows] == [row["command"] for row in value["rows"]]


def test_the_same_call_goes_on_and_more_trials_add_to_it(made: Made, tmp_path: Path) -> None:
    run(tmp_path / "sweep", trials=2, sampler="grid")
    assert len(made.tried) == 2
    again = run(tmp_path / "sweep", trials=2, sampler="grid")
    assert len(made.tried) == 2
    assert again.videos is None  # nothing was read
    assert len(run(tmp_path / "sweep").rows) == len(made.tried) == 6
    with pytest.raises(RunError, match="holds a sweep with seed=0, not 3: name a new folder"):
        run(tmp_path / "sweep", seed=3)


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_an_interrupted_trial_is_no_row_and_the_sweep_goes_on_as_if_it_had_not_been(
    made: Made, tmp_path: Path, sampler: Any
) -> None:
    whole = run(tmp_path / "whole", sampler=sampler)
    order = list(made.tried)
    made.tried.clear()
    made.raises = {2: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", sampler=sampler)
    assert made.tried == order[:3]
    left = json.loads((tmp_path / "cut" / "sweep.json").read_text(encoding="utf-8"))
    assert len(left["rows"]) == 2
    cut = run(tmp_path / "cut", sampler=sampler)
    assert made.tried == order[:3] + order[2:]
    assert [row.point for row in cut.rows] == [row.point for row in whole.rows]


def test_folds_that_follow_from_the_features_are_noted(made: Made, tmp_path: Path) -> None:
    notes = run(tmp_path / "sweep", trials=1, sampler="grid", groups="near-duplicates").notes
    assert "which clips are nearly the same depends on the features" in notes[-1]


def test_time_that_is_up(made: Made, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep", timeout_s=1e-9, sampler="grid")
    assert result.rows == []
    assert result.notes[-1] == "the time was up after 0 of 6 trials; the same command goes on"


def test_a_pruned_trial_says_why(made: Made, tmp_path: Path) -> None:
    made.raises = {1: Pruned("clearly worse after 1 of 2 folds than trial 0")}
    rows = run(tmp_path / "sweep").rows
    assert [(row.number, row.state) for row in rows[-3:]] == [
        (1, "pruned"), (2, "failed"), (5, "failed"),
    ]  # fmt: skip
    assert rows[-3].reason == "clearly worse after 1 of 2 folds than trial 0"


def test_what_is_wrong_with_everything_ends_it(made: Made, tmp_path: Path) -> None:
    made.raises = {1: StoreError("the disk is full")}
    with pytest.raises(StoreError, match="the disk is full"):
        run(tmp_path / "sweep")
    assert len(made.tried) == 2


def test_no_trial_that_came_to_an_end_is_a_failure(made: Made, tmp_path: Path) -> None:
    gru = SPACE.model_copy(update={"head": ("gru",)})
    with pytest.raises(
        JobFailedError,
        match=r"no trial came to an end, 2 failed. The first one, efficientnet_lite0 at 224 "
        r"pixels, 4 frames, .*, gru: ConfigError: head='gru' is out of stock\.",
    ):
        run(tmp_path / "sweep", gru)
    assert (tmp_path / "sweep" / "sweep.csv").exists()
    assert not (tmp_path / "sweep" / "accuracy_against_cost.png").exists()


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"backbone": ("efficientnet_lite",)}, "Did you mean 'efficientnet_lite"),
        ({"head": ("mean", "tempral")}, "head='tempral' is not one of .*'temporal'"),
        ({"head": ("gru(unit=3)",)}, "setting of the head 'gru'='unit' is not one of"),
    ],
)
def test_what_is_misspelt_is_refused_before_anything_is_written(
    made: Made, tmp_path: Path, axes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "sweep", SPACE.model_copy(update=axes))
    assert made.tried == []
    assert not (tmp_path / "sweep").exists()


def test_too_few_groups_are_refused_before_anything_is_written(made: Made, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="too small for 7 folds"):
        sweep(clips(), tmp_path / "sweep", SPACE, SweepConfig(folds=7))
    assert not (tmp_path / "sweep").exists()


def test_without_optuna_it_says_how_to_get_it(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'vidclass\[sweep\]'"):
        run(tmp_path / "sweep")


def test_given_test_clips_and_the_rest_of_their_groups_have_no_say(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Manifest] = []
    monkeypatch.setattr(
        Runner,
        "run",
        lambda self, *rest: seen.append(self.manifest) or made.run(self, *rest),
    )
    splits = ["test", *[None] * 9, "train", "validation"]
    table = clips([*splits[:-1], "train"])
    result = sweep(table, tmp_path / "sweep", SPACE, SweepConfig(folds=2, trials=1, sampler="grid"))
    assert seen[0].table["group"].unique().sort().to_list() == ["g1", "g2", "g3", "g4", "g5"]
    assert (
        result.notes[1]
        == "2 clips of the given test split and its groups have no say in this sweep"
    )
    with pytest.raises(SplitError, match="all 12 clips are given for test: a sweep needs clips"):
        training_side(clips(["test"] * 12))


def test_costs_are_compared_side_by_side_once_something_is_new(made: Made, tmp_path: Path) -> None:
    made.raises = {3: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "sweep", sampler="grid")
    left = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["ms_per_clip"], row["machine"]) for row in left] == [
        (6.0, "a busy processor"), (6.0, "a busy processor"), (None, ""),
    ]  # fmt: skip
    assert made.compared == []
    rows = run(tmp_path / "sweep", sampler="grid").rows
    assert made.compared == [[4, 4, 8, 8]]
    assert [(row.ms_per_clip, row.machine) for row in rows[:4]] == [
        (8.5, "a processor"), (4.5, "a processor"), (8.5, "a processor"), (4.5, "a processor"),
    ]  # fmt: skip
    run(tmp_path / "sweep", sampler="grid")
    assert len(made.compared) == 1
    run(tmp_path / "sweep", sampler="grid", remeasure=True)
    assert made.compared == [[4, 4, 8, 8]] * 2
    assert len(made.tried) == 7
