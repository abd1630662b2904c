"""Files of a sweep folder besides the database: lock, table, JSON, command lines."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vidclass._core.files import write_text
from vidclass.errors import RunError
from vidclass.sweeping.config import SweepConfig
from vidclass.sweeping.result import Row, SweepResult
from vidclass.sweeping.study import DATABASE

SCHEMA = 1
TABLE = "sweep.csv"
JSON = "sweep.json"
FIGURE = "accuracy_against_cost.png"
LEDGER = "ledger.jsonl"
LOCK = ".sweep.lock"

_COLUMNS = (
    *("number", "state", "pareto"),
    *("backbone", "frames", "size", "head", "sampling", "crop", "precision"),
    *("accuracy_mean", "accuracy_std", "accuracy", "accuracy_low", "accuracy_high"),
    *("videos", "failed", "ms_per_clip", "ms_features", "ms_head"),
    *("head_parameters", "head_multiplications", "training_s"),
    *("route", "machine", "reason", "command"),
)


def prepare_sweep_folder(folder: Path) -> None:
    """Create the folder if missing.

    Raises:
        RunError: `folder` is a file, is not empty and not a sweep, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: name a folder for the sweep")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DATABASE).exists():
        raise RunError(f"{folder} is not empty and not a sweep: name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from error


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder until the block ends; the system frees the lock of a killed process.

    Raises:
        RunError: Another process holds the lock, or its file cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another sweep is running in {folder}: wait for it, or name another folder"
        ) from error
    except OSError as error:
        raise RunError(f"cannot lock {folder / LOCK}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def as_json(result: SweepResult) -> dict[str, Any]:
    """Return the stable JSON shape of a sweep."""
    best = result.best
    return {
        "schema": SCHEMA,
        "best": None if best is None else best.number,
        "accuracy_of_choosing": result.accuracy_of_choosing,
        "trials": {
            state: sum(row.state == state for row in result.rows)
            for state in ("complete", "pruned", "failed")
        },
        "rows": [row.to_json() for row in result.rows],
        "space": result.space.model_dump(mode="json"),
        "config": result.config.model_dump(mode="json"),
        "notes": list(result.notes),
    }


def write_table(result: SweepResult) -> None:
    """Write the rows as CSV and as JSON, each atomically."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in result.rows:
        low, high = row.accuracy_interval or (None, None)
        table.writerow(row.to_json() | {"accuracy_low": low, "accuracy_high": high})
    write_text(result.folder / TABLE, text.getvalue())
    write_text(
        result.folder / JSON, json.dumps(as_json(result), indent=1, ensure_ascii=False) + "\n"
    )


def train_command(row: Row, config: SweepConfig, folder: Path) -> str:
    """Return the command line that trains a classifier of `row`, quoted for the shell.

    Args:
        row: The row.
        config: Settings shared by all rows, and the first words of the command.
        folder: Folder of the sweep; the run goes into a folder inside.
    """
    point = row.point
    options: dict[str, object] = {
        "backbone": point.backbone,
        "frames": point.frames,
        "size": point.side,
        "sampling": point.sampling,
        "crop": point.crop,
        # `auto` may choose another precision on another machine.
        "precision": row.precision or point.precision,
        "head": point.head,
        "seed": config.seed,
        "out": folder / f"run-{row.number}",
    }
    for name in ("weights", "epochs", "groups", "group_pattern"):
        value = getattr(config, name)
        if value != SweepConfig.model_fields[name].default:
            options[name] = value
    words = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
    return shell_line([*config.command, *chain.from_iterable(words)])


def shell_line(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """Return words quoted as one line for the shell of Windows or of POSIX systems."""
    return subprocess.list2cmdline(words) if windows else shlex.join(words)
