"""Files of a sweep folder besides the database: table, JSON, ledger, figure."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidclass._core.files import write_text
from vidclass.errors import RunError
from vidclass.sweeping.config import SweepConfig
from vidclass.sweeping.result import Row, SweepResult
from vidclass.sweeping.study import DATABASE


def ready_command(row: Row, config: SweepConfig, folder: Path) -> str:
    """A line to paste into a shell; everything that made the row is named.

    Args:
        row: The row.
        config: What it shares with all rows, and how the line begins.
        folder: The sweep's; the run goes into a folder inside.
    """
    point = row.point
    options: dict[str, object] = {
        "--backbone": point.backbone,
        "--frames": point.frames,
        "--size": point.side,
        "--sampling": point.sampling,
        "--crop": point.crop,
        # What `auto` was: on another machine it may be something else.
        "--precision": row.precision or point.precision,
        "--head": point.head,
        "--seed": config.seed,
        "--out": folder / f"run-{row.number}",
    }
    if config.weights != "pretrained":
        options["--weights"] = config.weights
    if config.epochs is not None:
        options["--epochs"] = config.epochs
    if config.groups != "auto":
        options["--groups"] = config.groups
    if config.group_pattern is not None:
        options["--group-pattern"] = config.group_pattern
    words = [str(word) for option in options.items() for word in option]
    return quoted_line([*config.command, *words])


def quoted_line(words: Sequence[str]) -> str:
    """Words as one line that this system's shell takes apart again."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


SCHEMA = 1
TABLE = "sweep.csv"
JSON = "sweep.json"
FIGURE = "accuracy_against_cost.png"
LEDGER = "ledger.jsonl"
LOCK = ".sweep.lock"

_COLUMNS = (
    "number", "state", "pareto", "backbone", "frames", "size", "head", "sampling", "crop",
    "precision", "accuracy_mean", "accuracy_std", "accuracy", "accuracy_low", "accuracy_high",
    "videos", "failed", "ms_per_clip", "ms_features", "ms_head", "head_parameters",
    "head_multiplications", "training_s", "route", "machine", "reason", "command",
)  # fmt: skip


def prepare_sweep_folder(folder: Path) -> None:
    """Make the folder, or make sure that it is a sweep's.

    Raises:
        RunError: it is a file, holds something else, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: name a folder for the sweep")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DATABASE).exists():
        raise RunError(f"{folder} is not empty and not a sweep: name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from error


def as_json(result: SweepResult) -> dict[str, Any]:
    """The stable JSON shape."""
    best = result.best
    return {
        "schema": SCHEMA,
        "best": None if best is None else best.number,
        "accuracy_of_choosing": result.accuracy_of_choosing,
        "trials": {
            state: sum(row.state == state for row in result.rows)
            for state in ("complete", "pruned", "failed")
        },
        "rows": [row.flat() for row in result.rows],
        "space": result.space.model_dump(mode="json"),
        "config": result.config.model_dump(mode="json"),
        "notes": list(result.notes),
    }


def write_table(result: SweepResult) -> None:
    """Write the rows as CSV and as JSON, each in one step."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in result.rows:
        low, high = row.accuracy_interval or (None, None)
        table.writerow(row.flat() | {"accuracy_low": low, "accuracy_high": high})
    write_text(result.folder / TABLE, text.getvalue())
    write_text(
        result.folder / JSON, json.dumps(as_json(result), indent=1, ensure_ascii=False) + "\n"
    )
