"""What commands share: where output goes, progress, and the closing line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.table import Table

from vidclass.errors import ConfigError
from vidclass.files import write_text
from vidclass.types import Failure, Progress

STAGES = {
    "clips": "writing clips",
    "hash": "reading videos",
    "calibrate": "reading samples",
    "quantize": "making int8",
    "extract": "extracting features",
    "verify": "checking features",
    "train": "training",
    "refit": "training on all",
    "folds": "cross-validating",
    "predict": "predicting",
    "download": "downloading",
    "unpack": "unpacking",
    "measure": "measuring",
    "look": "looking at videos",
    "labels": "judging labels",
    "strips": "drawing clips",
    "ledger": "trying the ledger",
}


def out() -> Console:
    """Results: standard output."""
    return Console(soft_wrap=True, highlight=False)


def err() -> Console:
    """Progress, notes and errors: standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on standard error, one a stage; where that is no terminal, a line every ten seconds."""
    console = err()
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield tell


def _lines(console: Console) -> Progress:
    started: dict[str, float] = {}
    told: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun = started.setdefault(stage, now)
        if now - told.setdefault(stage, now) < 10:
            return
        told[stage] = now
        # The first step may include a compilation: its time says nothing about the rest.
        left = f", {(now - begun) * (total - done) / done:.0f} s left" if done > 1 and total else ""
        console.print(f"{STAGES.get(stage, stage)}: {done} of {total or '?'}{left}", markup=False)

    return tell


def say(text: str) -> None:
    """A line of results."""
    out().print(text, markup=False)


def show(table: Table) -> None:
    """A table of results."""
    out().print(table)


def tell_notes(notes: Iterable[str]) -> None:
    """Notes and warnings, each once."""
    for note in dict.fromkeys(notes):
        err().print(f"note: {note}", markup=False)


def ledger_beside(failures: Sequence[Failure], *outputs: str | Path | None) -> Path | None:
    """Write the ledger beside the first of `outputs` that is a file, and return its path.

    Without failures, or where all goes to standard output, there is none.
    """
    from vidclass.training.folder import write_ledger

    files = [Path(output) for output in outputs if output not in (None, "-")]
    if not files:
        return None
    ledger = files[0].with_name(f"{files[0].name}.ledger.jsonl")
    return ledger if write_ledger(ledger, failures) else None


def closing_line(ok: int, failures: Sequence[Failure], ledger: Path | None = None) -> None:
    """`N ok, M failed`, with the failures and where they are listed."""
    console = err()
    for failure in failures[:5]:
        console.print(f"failed: {failure.message}", markup=False)
    if len(failures) > 5:
        console.print(f"... and {len(failures) - 5} more", markup=False)
    where = f" (listed in {ledger})" if failures and ledger else ""
    console.print(f"{ok} ok, {len(failures)} failed{where}", markup=False)


def write_json(target: str, value: Any) -> None:
    """Write JSON into a file, or to standard output for `-`."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_output(Path(target), text)


def write_output(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
