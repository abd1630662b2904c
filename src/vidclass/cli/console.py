"""Output of commands: results, notes, progress, files, and the closing line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.table import Table
from rich.text import Text

from vidclass._core.files import write_text
from vidclass.cli.option_names import in_options
from vidclass.errors import ConfigError, JobFailedError, StoppedError, VideoError
from vidclass.types import Failure, Progress

STAGES = {
    "clips": "writing clips",
    "hash": "reading videos",
    "calibrate": "reading samples",
    "quantize": "making int8",
    "extract": "extracting features",
    "verify": "checking features",
    "compare": "comparing heads",
    "train": "training",
    "refit": "training on all",
    "finetune": "fine-tuning",
    "folds": "cross-validating",
    "trials": "sweeping",
    "predict": "predicting",
    "download": "downloading",
    "unpack": "unpacking",
    "measure": "measuring",
    "inspect": "inspecting videos",
    "labels": "checking labels",
    "thumbnails": "drawing thumbnails",
    "ledger": "retrying the ledger",
}

_BYTE_STAGES = frozenset({"download", "unpack"})


def out() -> Console:
    """Return a console on standard output, for results."""
    return Console(soft_wrap=True, highlight=False)


def err() -> Console:
    """Return a console on standard error, for progress, notes and errors."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Yield a callback that shows a bar per stage; without a terminal, a line every ten seconds."""
    console = err()
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        _AmountColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                name = STAGES.get(stage, stage)
                tasks[stage] = bars.add_task(name, total=total or None, stage=stage)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield tell


def _lines(console: Console) -> Progress:
    started: dict[str, float] = {}
    printed: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun = started.setdefault(stage, now)
        if now - printed.setdefault(stage, now) < 10:
            return
        printed[stage] = now
        # The first step may include a compilation: its time says nothing about the rest.
        left = f", {(now - begun) * (total - done) / done:.0f} s left" if done > 1 and total else ""
        console.print(
            f"{STAGES.get(stage, stage)}: {_amount(stage, done, total)}{left}", markup=False
        )

    return tell


def _amount(stage: str, done: int, total: int) -> str:
    if stage in _BYTE_STAGES:
        return f"{decimal(done)} of {decimal(total) if total else '?'}"
    return f"{done} of {total or '?'}"


class _AmountColumn(ProgressColumn):
    """Column with the progress of a stage: a count, or a size in bytes."""

    def render(self, task: Task) -> Text:
        return Text(_amount(task.fields["stage"], int(task.completed), int(task.total or 0)))


def say(text: str) -> None:
    """Print a line of results."""
    out().print(text, markup=False)


def show(table: Table) -> None:
    """Print a table of results."""
    out().print(table)


def print_notes(notes: Iterable[str]) -> None:
    """Print notes and warnings on standard error, each once."""
    for note in dict.fromkeys(notes):
        err().print(f"note: {in_options(note)}", markup=False)


def ledger_beside(*outputs: str | Path | None) -> Path | None:
    """Return the path of a ledger beside the first of `outputs` that is a file, None if none is."""
    files = [Path(output) for output in outputs if output not in (None, "-")]
    return files[0].with_name(f"{files[0].name}.ledger.jsonl") if files else None


def closing_line(ok: int, failures: Sequence[Failure], ledger: Path | None = None) -> None:
    """Print the first failures and `N ok, M failed`, and write the ledger.

    Without failures, the ledger of an earlier run is removed.
    """
    console = err()
    for failure in failures[:5]:
        message = in_options(failure.message, literals=[failure.video])
        console.print(f"failed: {message}", markup=False)
    if len(failures) > 5:
        console.print(f"... and {len(failures) - 5} more", markup=False)
    _end(ok, failures, ledger)


@contextmanager
def stopping(ledger: Path | None) -> Iterator[None]:
    """Give work that clips end early a ledger and a closing line, too, and exit code 1."""
    try:
        yield
    except JobFailedError as error:
        if not error.failures:
            raise
        err().print(f"error: {in_options(str(error))}", markup=False)
        _end(0, error.failures, ledger)
        raise typer.Exit(1) from error
    except StoppedError as error:
        err().print(f"error: {in_options(str(error), literals=[error.path])}", markup=False)
        # The cause is the error before it ended the work: the ledger names that type.
        cause = error.__cause__ if isinstance(error.__cause__, VideoError) else error
        _end(error.ok, [Failure.from_error(cause, video=error.path)], ledger)
        raise typer.Exit(1) from error


def _end(ok: int, failures: Sequence[Failure], ledger: Path | None) -> None:
    from vidclass.ledger import write_ledger

    written = ledger is not None and write_ledger(ledger, failures)
    where = f" (listed in {ledger})" if written else ""
    err().print(f"{ok} ok, {len(failures)} failed{where}", markup=False)


def write_json(target: str, value: Any) -> None:
    """Write JSON to a file, or to standard output for `-`."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_output(Path(target), text)


def write_output(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
