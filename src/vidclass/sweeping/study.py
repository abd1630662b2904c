"""The trials of a sweep on disk: an Optuna study in SQLite."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass._core.extras import require_extra
from vidclass.errors import RunError
from vidclass.sweeping.config import Point
from vidclass.sweeping.result import Row, State

if TYPE_CHECKING:
    import optuna

DATABASE = "sweep.db"
NAME = "vidclass"
# Attributes of a trial: what is known of it, and why it was pruned or failed.
ROW, REASON = "row", "reason"
# Attributes of the study.
_IDENTITY = "vidclass_sweep"
_COSTS = "vidclass_costs"


def require_optuna() -> Any:
    """Optuna, which is an extra.

    Raises:
        ConfigError: it is not installed.
    """
    return require_extra("optuna", "sweep", needed_by="a sweep")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log and its warnings about itself away from the user."""
    optuna = require_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)


@contextmanager
def opened_study(folder: Path, identity: Mapping[str, Any]) -> Iterator[optuna.Study]:
    """The study in `folder`, made if there is none; what a killed process left is settled.

    Raises:
        RunError: the folder holds something else, or a sweep of another identity.
    """
    optuna = require_optuna()
    path = folder / DATABASE
    _require_database(path)
    # The path is given apart from the address, in which some of its characters would mean more.
    connect = {"creator": lambda: sqlite3.connect(path, timeout=60, check_same_thread=False)}
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{DATABASE}", engine_kwargs=connect)
    except RuntimeError as error:  # the tables are those of another version of Optuna
        raise RunError(f"{path} cannot be opened: {error}") from error
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=NAME,
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
        _require_same(study, folder, identity)
        study.set_metric_names(["accuracy", "ms a clip"])
        _settle(study)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _require_database(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise RunError(f"{path} is not the database of a sweep: {error}") from error


def _require_same(study: optuna.Study, folder: Path, identity: Mapping[str, Any]) -> None:
    text = study.user_attrs.get(_IDENTITY)
    if text is None:
        study.set_user_attr(_IDENTITY, json.dumps(identity))
        return
    there = json.loads(text)
    for name in {**identity, **there}:
        old, new = there.get(name), json.loads(json.dumps(identity.get(name)))
        if old == new:
            continue
        what = "of other clips" if name == "data" else f"with {name}={old!r}, not {new!r}"
        raise RunError(f"{folder} holds a sweep {what}: name a new folder")


def _settle(study: optuna.Study) -> None:
    """Close what a process that was killed left open: without a reason, such a trial is no row."""
    states = require_optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
    for _ in study.get_trials(deepcopy=False, states=(states.WAITING,)):
        study.tell(study.ask(), state=states.FAIL)


def keep_costs(study: optuna.Study, machine: str, ms_features: Mapping[str, float]) -> None:
    """Keep costs that were measured side by side, by the key of the features."""
    study.set_user_attr(_COSTS, {"machine": machine, "ms_features": dict(ms_features)})


def has_costs(study: optuna.Study, rows: Sequence[Row]) -> bool:
    """Whether the costs of all these rows were measured side by side."""
    kept = study.user_attrs.get(_COSTS, {"ms_features": {}})
    return all(row.setting in kept["ms_features"] for row in rows)


def rows_of(study: optuna.Study) -> list[Row]:
    """The finished trials, with the costs that were measured side by side, once there are some.

    A trial that failed without a reason was cut short by the end of its process: it is no row.
    """
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    rows = [
        Row.stored(
            trial.number,
            names[trial.state.name],
            Point.of(trial.params),
            trial.user_attrs.get(ROW, {}) | {REASON: trial.user_attrs.get(REASON, "")},
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in names and (trial.state.name != "FAIL" or REASON in trial.user_attrs)
    ]
    kept = study.user_attrs.get(_COSTS)
    complete = [row for row in rows if row.state == "complete"]
    if kept is None or not has_costs(study, complete):
        return rows
    costs, machine = kept["ms_features"], kept["machine"]
    return [
        row.costing(costs[row.setting], machine) if row.setting in costs else row for row in rows
    ]
