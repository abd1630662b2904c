"""Terminal output of training, cross-validation, evaluation and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from vidclass._core.text import percent
from vidclass.cli.console import closing_line, print_notes, say, show
from vidclass.training import run_folder as names

if TYPE_CHECKING:
    from vidclass.demo.run import DemoResult
    from vidclass.evaluation.evaluate import Evaluation
    from vidclass.tasks.metrics import Metrics
    from vidclass.training.crossval import CrossValidation, SeedsResult
    from vidclass.training.head_selection import HeadChoice
    from vidclass.training.run_folder import RunResult


def class_table(metrics: Metrics) -> Table:
    """Return a table of the metrics by class."""
    header, rows = metrics.class_table()
    table = Table(header[0], title="by class", title_justify="left")
    for column in header[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def choice_table(choice: HeadChoice) -> Table:
    """Return a table of the compared heads, with the chosen one marked."""
    table = Table("head", title="heads, on held-out folds of the training clips")
    table.title_justify = "left"
    columns = ("parameters", "accuracy", "log loss", "above the best", "folds", "seconds")
    for column in columns:
        table.add_column(column, justify="right")
    best = min(choice.compared, key=lambda row: (-row.folds, row.loss))
    for row in choice.compared:
        behind = row.behind
        table.add_row(
            f"{row.head} (chosen)" if row.head == choice.name else row.head,
            f"{row.parameters:,}",
            percent(row.accuracy),
            f"{row.loss:.3f}",
            "" if row is best else f"{behind.mean:+.3f} ± {behind.error:.3f}",
            str(row.folds),
            f"{row.seconds:.1f}",
        )
    return table


def report_choices(choices: Sequence[HeadChoice]) -> None:
    """Print the chosen heads and the reasons; nothing for heads that were asked for."""
    from vidclass.training.head_selection import ASKED_FOR

    for view_index, choice in enumerate(choices, 1):
        view = f"view {view_index}: " if len(choices) > 1 else ""
        if choice.compared:
            show(choice_table(choice))
            say(f"{view}head {choice.name}: {choice.why}")
        elif choice.why != ASKED_FOR:
            say(f"{view}head {choice.name}: {choice.why}")


def report_run(result: RunResult) -> None:
    """Print the outcome of a training run."""
    print_notes(result.notes)
    report_choices(result.choices)
    sizes = ", ".join(f"{count} {name}" for name, count in result.sizes.items())
    say(f"clips: {sizes}")
    if result.best_epoch is not None:
        say(f"best epoch: {result.best_epoch}")
    for name, metrics in result.metrics.items():
        say(f"{name}: {metrics.summary()}")
        for line in metrics.details():
            say(f"  {line}")
    if "test" in result.metrics:
        show(class_table(result.metrics["test"]))
    say(f"bundle: {result.bundle}")
    closing_line(result.extraction.ok, result.extraction.failures, result.folder / names.LEDGER)


def report_crossval(result: CrossValidation, *, ledger: Path | None, quiet: bool) -> None:
    """Print the folds and metrics; with `quiet`, only notes and the closing line."""
    print_notes(result.notes)
    if not quiet:
        table = Table("fold", title=f"head: {result.config.head}", title_justify="left")
        table.add_column("clips", justify="right")
        for column in result.pooled.fold_cells():
            table.add_column(column, justify="right")
        chosen = result.config.compares_heads
        if chosen:
            table.add_column("chosen without this fold")
        for fold in result.folds:
            heads = [fold.heads] if chosen else []
            cells = fold.metrics.fold_cells().values()
            table.add_row(str(fold.fold), str(fold.metrics.videos), *cells, *heads)
        show(table)
        say(
            f"mean accuracy {percent(result.accuracy_mean)}, deviation over folds "
            f"{percent(result.accuracy_std)}"
        )
        say(f"all folds together: {result.pooled.summary()}")
        for line in result.pooled.details():
            say(line)
        show(class_table(result.pooled))
    closing_line(result.extraction.ok, result.extraction.failures, ledger)


def report_seeds(result: SeedsResult, *, ledger: Path | None, quiet: bool) -> None:
    """Print a row per seed; with `quiet`, only notes and the closing line."""
    first = result.runs[0]
    print_notes(first.notes)
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


def report_evaluation(
    result: Evaluation, notes: tuple[str, ...], *, ledger: Path | None, quiet: bool
) -> None:
    """Print metrics of a classifier; with `quiet`, only notes and the closing line."""
    print_notes(notes)
    if not quiet:
        say(result.metrics.summary())
        for line in result.metrics.details():
            say(line)
        show(class_table(result.metrics))
    closing_line(result.extraction.ok, result.extraction.failures, ledger)


def report_demo(result: DemoResult) -> None:
    """Print the table of heads, one prediction, and the paths of outputs."""
    table = Table("model over time", title="accuracy on unseen groups", title_justify="left")
    table.add_column("all classes", justify="right")
    table.add_column("reversal pairs", justify="right")
    for head in result.heads:
        table.add_row(
            f"{head.title} ({head.head})",
            percent(head.metrics.accuracy),
            percent(head.pairs_accuracy),
        )
    show(table)
    say(f"{result.prediction.video}, which is {result.label}:")
    for label, score in result.prediction.scores.items():
        say(f"  {label}: {percent(score):>7}")
    say(f"bundle:  {result.run.bundle}")
    say(f"GIF:     {result.gif}")
    say(f"summary: {result.page}")
    say(f"next:    vidclass predict {result.run.bundle} YOUR_VIDEO, or vidclass train YOUR_FOLDER")
    closing_line(result.run.extraction.ok, result.run.extraction.failures)
    say(f"done in {result.seconds:.0f} s")
