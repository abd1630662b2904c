"""How a cross-validation with several seeds looks on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from vidclass.cli.console import closing_line, say, show, tell_notes
from vidclass.cli.tables import percent

if TYPE_CHECKING:
    from vidclass.training.seeds import SeedsResult


def report_seeds(result: SeedsResult, *, ledger: Path | None, quiet: bool) -> None:
    """A row a seed; with `quiet`, only notes and the closing line."""
    first = result.runs[0]
    tell_notes(first.notes)
    if not quiet:
        table = Table("seed", title=f"{first.config.head} head", title_justify="left")
        for column in ("mean accuracy", "over folds", "macro-F1"):
            table.add_column(column, justify="right")
        for run in result.runs:
            numbers = (run.accuracy_mean, run.accuracy_std, run.pooled.macro_f1)
            table.add_row(str(run.config.training.seed), *map(percent, numbers))
        show(table)
        low, high = map(percent, result.accuracy_interval)
        say(
            f"mean accuracy {percent(result.accuracy_mean)} (95 % interval {low} to {high} for "
            f"{first.pooled.videos} clips), deviation over seeds {percent(result.std_over_seeds)}, "
            f"over folds {percent(result.std_over_folds)}"
        )
    closing_line(first.extraction.ok, first.extraction.failures, ledger)
