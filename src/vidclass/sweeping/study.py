"""Storage of a sweep's trials: an Optuna study in SQLite."""

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
# Attributes of a trial: the values of its row, and why it was pruned or failed.
ROW, REASON = "row", "reason"
# Attributes of the study.
_IDENTITY = "vidclass_sweep"
_COSTS = "vidclass_costs"


def import_optuna() -> Any:
    """Return the module `optuna`.

    Raises:
        ConfigError: It is not installed.
    """
    return require_extra("optuna", "sweep", needed_by="a sweep")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log and its warnings about experimental features.

    Raises:
        ConfigError: Optuna is not installed.
    """
    optuna = import_optuna()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)


@contextmanager
def open_study(folder: Path, identity: Mapping[str, Any]) -> Iterator[optuna.Study]:
    """Open the study in `folder`, created if missing; close trials that a kill left open.

    Raises:
        RunError: The folder holds another file of that name, or a sweep of another identity.
    """
    optuna = import_optuna()
    path = folder / DATABASE
    _require_database(path)
    # Connect by path: in an address, some characters of a path have another meaning.
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
        _require_identity(study, folder, identity)
        study.set_metric_names(["accuracy", "ms a clip"])
        _close_interrupted(study)
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


def _require_identity(study: optuna.Study, folder: Path, identity: Mapping[str, Any]) -> None:
    """Store the identity in a new study; raise RunError if that of an old one differs."""
    text = study.user_attrs.get(_IDENTITY)
    if text is None:
        study.set_user_attr(_IDENTITY, json.dumps(identity))
        return
    stored = json.loads(text)
    for name in {**identity, **stored}:
        old, new = stored.get(name), json.loads(json.dumps(identity.get(name)))
        if old == new:
            continue
        difference = "of other clips" if name == "data" else f"with {name}={old!r}, not {new!r}"
        raise RunError(f"{folder} holds a sweep {difference}: name a new folder")


def _close_interrupted(study: optuna.Study) -> None:
    """Fail the trials that a killed process left open; without a reason they are no rows."""
    states = import_optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
    for _ in study.get_trials(deepcopy=False, states=(states.WAITING,)):
        study.tell(study.ask(), state=states.FAIL)


def save_costs(study: optuna.Study, machine: str, ms_features: Mapping[str, float]) -> None:
    """Save feature costs measured side by side, by fingerprint of the feature settings."""
    study.set_user_attr(_COSTS, {"machine": machine, "ms_features": dict(ms_features)})


def has_costs(study: optuna.Study, rows: Sequence[Row]) -> bool:
    """Return whether the costs of all these rows were measured side by side."""
    costs = study.user_attrs.get(_COSTS, {"ms_features": {}})
    return all(row.setting in costs["ms_features"] for row in rows)


def load_rows(study: optuna.Study) -> list[Row]:
    """Return the finished trials as rows, with costs measured side by side once saved.

    A trial that failed without a reason was cut short by the end of its process: it is no row.
    """
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    rows = [
        Row.from_trial(
            trial.number,
            names[trial.state.name],
            Point.from_values(trial.params),
            trial.user_attrs.get(ROW, {}) | {REASON: trial.user_attrs.get(REASON, "")},
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in names and (trial.state.name != "FAIL" or REASON in trial.user_attrs)
    ]
    saved = study.user_attrs.get(_COSTS)
    complete = [row for row in rows if row.state == "complete"]
    if saved is None or not has_costs(study, complete):
        return rows
    costs, machine = saved["ms_features"], saved["machine"]
    return [
        row.with_cost(costs[row.setting], machine) if row.setting in costs else row for row in rows
    ]
