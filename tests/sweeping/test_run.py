"""Whole sweeps around fake trials."""

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
from vidclass.sweeping.trial import Pruned, TrialRunner

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


class FakeTrials:
    """Fake trials: `gru` fails, `temporal` is best, longer clips cost more."""

    def __init__(self) -> None:
        self.tried: list[tuple[int, str]] = []
        self.others: list[list[int]] = []
        self.raises: dict[int, BaseException] = {}
        self.compared: list[list[int]] = []

    def run(self, runner: TrialRunner, point: Point, others: Sequence[Row], save: Any) -> Any:
        count = len(self.tried)
        self.tried.append((point.frames, point.head))
        self.others.append([row.number for row in others])
        runner.videos = len(runner.manifest)
        if count in self.raises:
            raise self.raises[count]
        if point.head == "gru":
            raise ConfigError("head='gru' is out of stock.")
        accuracy, ms = ACCURACY[point.head] + point.frames / 100, 1.5 * point.frames
        save(folds=[{"fold": k, "accuracy": accuracy, "videos": 6} for k in range(2)])
        save(
            precision="f32",
            setting=f"{point.frames} frames",
            machine="a busy processor",
            ms_per_clip=ms,
            ms_features=ms - 0.5,
            ms_head=0.5,
            accuracy_mean=accuracy,
            accuracy_std=0.0,
            accuracy=accuracy,
            videos=12,
            failed=0,
            training_s=2.0,
            accuracy_interval=[accuracy - 0.1, accuracy + 0.1],
            route="openvino",
            head_parameters=10,
            head_multiplications=100,
        )
        return accuracy, ms

    def measure_together(self, points: Sequence[Point]) -> dict[str, float]:
        """Return less than the trials measured, when the machine was busy."""
        self.compared.append([point.frames for point in points])
        return {f"{point.frames} frames": float(point.frames) for point in points}


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> FakeTrials:
    trials = FakeTrials()
    monkeypatch.setattr(TrialRunner, "run", lambda self, *rest: trials.run(self, *rest))
    monkeypatch.setattr(
        TrialRunner, "measure_together", lambda _, points: trials.measure_together(points)
    )
    monkeypatch.setattr(module, "processor_name", lambda: "a processor")
    # Drawing is slow and tested elsewhere.
    monkeypatch.setattr(figures, "save_figure", lambda _, path: path.touch())
    return trials


def run(out: Path, space: SweepSpace = SPACE, **config: Any) -> SweepResult:
    return sweep(clips(), out, space, SweepConfig(folds=2, **config))


def test_the_public_name() -> None:
    assert vidclass.sweep is sweep
    assert (vidclass.SweepSpace, vidclass.SweepConfig) == (SweepSpace, SweepConfig)


def test_rows_files_and_notes(trials: FakeTrials, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep")
    assert trials.tried == [(f, h) for f in (4, 8) for h in ("mean", "temporal", "gru")]
    assert trials.others == [[], [0], [0, 1], [0, 1], [0, 1, 3], [0, 1, 3, 4]]
    assert [(row.number, row.state, row.pareto) for row in result.rows] == [
        (4, "complete", True),
        (1, "complete", True),
        (3, "complete", False),
        (0, "complete", False),
        (2, "failed", False),
        (5, "failed", False),
    ]
    assert result.best is result.rows[0]
    assert result.accuracy_of_choosing == pytest.approx(0.83)
    assert result.notes[0] == "a note"
    assert result.notes[1].startswith("no test split is given, so every clip takes part")
    assert result.notes[2] == (
        "the best row was chosen among 4 on the clips that it is scored on: its accuracy is "
        "optimistic; by nested cross-validation it is 83.0 %"
    )
    assert sorted(path.name for path in result.folder.iterdir()) == [
        ".sweep.lock",
        "accuracy_against_cost.png",
        "sweep.csv",
        "sweep.db",
        "sweep.json",
    ]


def test_json_and_table_agree(trials: FakeTrials, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep", trials=3, sampler="grid", weights="random")
    value = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))
    assert list(value) == [
        "schema",
        "best",
        "accuracy_of_choosing",
        "trials",
        "rows",
        "space",
        "config",
        "notes",
    ]
    assert (value["schema"], value["best"]) == (1, 1)
    assert value["trials"] == {"complete": 2, "pruned": 0, "failed": 1}
    assert value["space"]["frames"] == [4, 8]
    command = (
        "vidclass train SOURCE --backbone efficientnet_lite0 --frames 4 --size 224 --sampling "
        "uniform --crop centre --precision f32 --head temporal --seed 0 --out "
        f"{shlex.quote(str(tmp_path / 'sweep' / 'run-1'))} --weights random"
    )
    assert value["rows"][0] == {
        "number": 1,
        "state": "complete",
        "pareto": True,
        "backbone": "efficientnet_lite0",
        "frames": 4,
        "size": 224,
        "head": "temporal",
        "sampling": "uniform",
        "crop": "centre",
        "precision": "f32",
        "folds": [{"fold": k, "accuracy": 0.79, "videos": 6} for k in (0, 1)],
        "accuracy_mean": 0.79,
        "accuracy_std": 0.0,
        "accuracy": 0.79,
        "accuracy_interval": [0.79 - 0.1, 0.79 + 0.1],
        "videos": 12,
        "failed": 0,
        "ms_per_clip": 4.5,
        "ms_features": 4.0,
        "ms_head": 0.5,
        "head_parameters": 10,
        "head_multiplications": 100,
        "training_s": 2.0,
        "route": "openvino",
        "machine": "a processor",
        "reason": "",
        "command": command,
    }
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


def test_the_same_call_continues_and_more_trials_add_to_it(
    trials: FakeTrials, tmp_path: Path
) -> None:
    run(tmp_path / "sweep", trials=2, sampler="grid")
    assert len(trials.tried) == 2
    again = run(tmp_path / "sweep", trials=2, sampler="grid")
    assert len(trials.tried) == 2
    assert again.videos is None  # nothing was read
    assert len(run(tmp_path / "sweep").rows) == len(trials.tried) == 6
    with pytest.raises(RunError, match="holds a sweep with seed=0, not 3: name a new folder"):
        run(tmp_path / "sweep", seed=3)


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_an_interrupted_trial_is_no_row_and_changes_no_later_trial(
    trials: FakeTrials, tmp_path: Path, sampler: Any
) -> None:
    whole = run(tmp_path / "whole", sampler=sampler)
    order = list(trials.tried)
    trials.tried.clear()
    trials.raises = {2: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", sampler=sampler)
    assert trials.tried == order[:3]
    left = json.loads((tmp_path / "cut" / "sweep.json").read_text(encoding="utf-8"))
    assert len(left["rows"]) == 2
    cut = run(tmp_path / "cut", sampler=sampler)
    assert trials.tried == order[:3] + order[2:]
    assert [row.point for row in cut.rows] == [row.point for row in whole.rows]


def test_folds_that_depend_on_the_features_are_noted(trials: FakeTrials, tmp_path: Path) -> None:
    notes = run(tmp_path / "sweep", trials=1, sampler="grid", groups="near-duplicates").notes
    assert "near duplicates depend on the features" in notes[-1]


def test_no_trial_starts_after_the_timeout(trials: FakeTrials, tmp_path: Path) -> None:
    result = run(tmp_path / "sweep", timeout_s=1e-9, sampler="grid")
    assert result.rows == []
    assert result.notes[-1] == "the time was up after 0 of 6 trials; the same call continues"


def test_a_pruned_trial_says_why(trials: FakeTrials, tmp_path: Path) -> None:
    trials.raises = {1: Pruned("clearly worse after 1 of 2 folds than trial 0")}
    rows = run(tmp_path / "sweep").rows
    assert [(row.number, row.state) for row in rows[-3:]] == [
        (1, "pruned"),
        (2, "failed"),
        (5, "failed"),
    ]
    assert rows[-3].reason == "clearly worse after 1 of 2 folds than trial 0"


def test_an_error_of_all_trials_ends_the_sweep(trials: FakeTrials, tmp_path: Path) -> None:
    trials.raises = {1: StoreError("the disk is full")}
    with pytest.raises(StoreError, match="the disk is full"):
        run(tmp_path / "sweep")
    assert len(trials.tried) == 2


def test_no_completed_trial_is_an_error(trials: FakeTrials, tmp_path: Path) -> None:
    gru = SPACE.model_copy(update={"head": ("gru",)})
    with pytest.raises(
        JobFailedError,
        match=r"no trial was completed, 2 failed. The first one, efficientnet_lite0 at 224 "
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
def test_misspelt_names_are_refused_before_anything_is_written(
    trials: FakeTrials, tmp_path: Path, axes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "sweep", SPACE.model_copy(update=axes))
    assert trials.tried == []
    assert not (tmp_path / "sweep").exists()


def test_too_few_groups_are_refused_before_anything_is_written(
    trials: FakeTrials, tmp_path: Path
) -> None:
    with pytest.raises(SplitError, match="too small for 7 folds"):
        sweep(clips(), tmp_path / "sweep", SPACE, SweepConfig(folds=7))
    assert not (tmp_path / "sweep").exists()


def test_a_missing_optuna_names_the_extra(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'vidclass\[sweep\]'"):
        run(tmp_path / "sweep")


def test_given_test_clips_and_the_rest_of_their_groups_are_left_out(
    trials: FakeTrials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests: list[Manifest] = []
    monkeypatch.setattr(
        TrialRunner,
        "run",
        lambda self, *rest: manifests.append(self.manifest) or trials.run(self, *rest),
    )
    splits = ["test", *[None] * 9, "train", "validation"]
    table = clips([*splits[:-1], "train"])
    result = sweep(table, tmp_path / "sweep", SPACE, SweepConfig(folds=2, trials=1, sampler="grid"))
    assert manifests[0].table["group"].unique().sort().to_list() == ["g1", "g2", "g3", "g4", "g5"]
    assert (
        result.notes[1] == "2 clips of the given test split and its groups left out of this sweep"
    )
    with pytest.raises(SplitError, match="all 12 clips are given for test: a sweep needs clips"):
        training_side(clips(["test"] * 12))


def test_costs_are_measured_side_by_side_once_something_is_new(
    trials: FakeTrials, tmp_path: Path
) -> None:
    trials.raises = {3: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "sweep", sampler="grid")
    left = json.loads((tmp_path / "sweep" / "sweep.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["ms_per_clip"], row["machine"]) for row in left] == [
        (6.0, "a busy processor"),
        (6.0, "a busy processor"),
        (None, ""),
    ]
    assert trials.compared == []
    rows = run(tmp_path / "sweep", sampler="grid").rows
    assert trials.compared == [[4, 4, 8, 8]]
    assert [(row.ms_per_clip, row.machine) for row in rows[:4]] == [
        (8.5, "a processor"),
        (4.5, "a processor"),
        (8.5, "a processor"),
        (4.5, "a processor"),
    ]
    run(tmp_path / "sweep", sampler="grid")
    assert len(trials.compared) == 1
    run(tmp_path / "sweep", sampler="grid", remeasure=True)
    assert trials.compared == [[4, 4, 8, 8]] * 2
    assert len(trials.tried) == 7
