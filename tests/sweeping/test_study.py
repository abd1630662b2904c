"""Trials on disk: continued, refused, and closed after a killed process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from made_rows import point
from vidclass.errors import RunError
from vidclass.sweeping.config import SweepSpace
from vidclass.sweeping.record import lock_folder
from vidclass.sweeping.search import distributions
from vidclass.sweeping.study import load_rows, open_study, quiet_optuna

SPACE = SweepSpace(backbone=("efficientnet_lite0",), frames=(8, 16), head=("mean",))
IDENTITY = {"frames": [8, 16], "seed": 0, "data": "abc"}

RUNNING = """
import sys, time
from pathlib import Path
from vidclass.sweeping.record import lock_folder
from vidclass.sweeping.record import lock_folder
from vidclass.sweeping.study import open_study, quiet_optuna
folder = Path(sys.argv[1])
with lock_folder(folder), quiet_optuna(), open_study(folder, {}) as study:
    study.ask().set_user_attr("ms_per_clip", 3.0)
    study.enqueue_trial({"frames": 8})
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["plain", "a b%20?c#é"])
def test_finished_trials_are_loaded_again(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with quiet_optuna(), open_study(folder, IDENTITY) as study:
        for frames, outcome in ((8, "complete"), (16, "failed")):
            study.enqueue_trial(point(frames=frames).values())
            trial = study.ask(distributions(SPACE))
            if outcome == "failed":
                trial.set_user_attr("reason", "ConfigError: too small")
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                folds = [{"fold": 0, "accuracy": 0.5, "videos": 4}]
                trial.set_user_attr("row", {"folds": folds, "accuracy_interval": [0.3, 0.7]})
                study.tell(trial, (0.5, 12.0))
    with quiet_optuna(), open_study(folder, IDENTITY) as study:
        rows = load_rows(study)
    assert [(row.number, row.state, row.point.frames) for row in rows] == [
        (0, "complete", 8),
        (1, "failed", 16),
    ]
    assert (rows[0].folds[0].accuracy, rows[0].accuracy_interval) == (0.5, (0.3, 0.7))
    assert rows[0].point.size == 224
    assert rows[1].reason == "ConfigError: too small"
    assert sorted(path.name for path in folder.iterdir()) == ["sweep.db"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "holds a sweep with seed=0, not 1: name a new folder"),
        ({"frames": [8]}, r"holds a sweep with frames=\[8, 16\], not \[8\]: name a new folder"),
        ({"data": "other"}, "holds a sweep of other clips: name a new folder"),
    ],
)
def test_another_sweep_in_the_folder_is_refused_naming_the_difference(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with quiet_optuna(), open_study(tmp_path, IDENTITY):
        pass
    with (
        quiet_optuna(),
        pytest.raises(RunError, match=message),
        open_study(tmp_path, IDENTITY | change),
    ):
        pass


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL to send")
def test_a_killed_process_leaves_no_row_and_no_lock(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with (
            pytest.raises(RunError, match=f"another sweep is running in {tmp_path}: wait"),
            lock_folder(tmp_path),
        ):
            pass
        process.send_signal(signal.SIGKILL)
    with lock_folder(tmp_path), quiet_optuna(), open_study(tmp_path, {}) as study:
        assert load_rows(study) == []
        states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    assert states == ["FAIL", "FAIL"]


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.db").write_text("no database at all" * 100)
    with (
        quiet_optuna(),
        pytest.raises(RunError, match=r"sweep\.db is not the database of a sweep: file is not a"),
        open_study(tmp_path, IDENTITY),
    ):
        pass


def test_the_database_of_another_version_of_optuna_is_refused(tmp_path: Path) -> None:
    with quiet_optuna(), open_study(tmp_path, IDENTITY):
        pass
    connection = sqlite3.connect(tmp_path / "sweep.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        connection.execute("UPDATE version_info SET schema_version = 99")
    connection.close()
    with (
        quiet_optuna(),
        pytest.raises(RunError, match=r"sweep\.db cannot be opened: "),
        open_study(tmp_path, IDENTITY),
    ):
        pass


def test_optuna_logs_as_before_afterwards() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with quiet_optuna():
        assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
