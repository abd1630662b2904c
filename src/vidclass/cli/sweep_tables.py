"""Terminal output of `vidclass sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.measure import Measurement
from rich.table import Table

from vidclass._core.text import percent
from vidclass.cli.console import closing_line, out, print_notes, say, show
from vidclass.sweeping.record import FIGURE, LEDGER, TABLE

if TYPE_CHECKING:
    from vidclass.sweeping.result import Row, SweepResult

# These are shown only where a sweep tries more than one value.
_OPTIONAL = ("sampling", "crop", "precision")


def report_sweep(result: SweepResult, *, quiet: bool) -> None:
    """Print the table, the command lines and the paths of outputs; with `quiet`, only notes."""
    print_notes(result.notes)
    complete = [row for row in result.rows if row.state == "complete"]
    if not quiet:
        show(_table(result))
        for line in _unfinished(result.rows):
            say(line)
        say("to train a classifier of a row:")
        for row in complete:
            say(f"{row.number}: {row.command}")
        say(f"table:  {result.folder / TABLE}")
        say(f"figure: {result.folder / FIGURE}")
    if result.videos is not None:
        ok = result.videos - len(result.failures)
        closing_line(ok, result.failures, result.folder / LEDGER)


def _unfinished(rows: Sequence[Row]) -> list[str]:
    """Return lines on trials that did not complete, one for each state and reason."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.state != "complete":
            alike.setdefault((row.state, row.reason), []).append(row)
    lines = []
    for (state, reason), same in alike.items():
        numbers = ", ".join(str(row.number) for row in same)
        which = f"trial {numbers} ({same[0].point})" if len(same) == 1 else f"trials {numbers}"
        lines.append(f"{state}: {which}: {reason}")
    return lines


def _table(result: SweepResult) -> Table:
    axes = [name for name in _OPTIONAL if len(getattr(result.space, name)) > 1]
    table = Table(
        title="mean accuracy, ± over folds, 95 % interval over clips; *: none as good for less",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    for column in ("#", "", "accuracy", "folds", "95 %", "ms/clip"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("backbone", overflow="fold", min_width=12)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    for name in ("head", *axes):
        table.add_column(name, overflow="fold", min_width=8)
    for row in result.rows:
        if row.state == "complete":
            table.add_row(*_cells(row, axes))
    console = out()
    if not console.is_terminal:
        # Output that goes to a file has no width to fit.
        table.width = Measurement.get(console, console.options.update(width=1000), table).maximum
    return table


def _cells(row: Row, axes: list[str]) -> list[str]:
    low, high = row.accuracy_interval or (0.0, 0.0)
    point = row.point
    return [
        str(row.number),
        "*" if row.pareto else "",
        percent(row.accuracy_mean or 0.0),
        f"± {100 * (row.accuracy_std or 0.0):.1f}",
        f"{100 * low:.1f}-{100 * high:.1f}",
        f"{row.ms_per_clip or 0.0:.1f}",
        point.backbone,
        str(point.size),
        str(point.frames),
        point.head,
        *(str(row.precision if name == "precision" else getattr(point, name)) for name in axes),
    ]
