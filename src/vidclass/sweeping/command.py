"""The command line that trains a classifier of one row."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vidclass.sweeping.rows import Row
from vidclass.sweeping.settings import SweepConfig


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
