"""Terminal output of training, cross-validation, evaluation and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from vidclass.cli.console import closing_line, percent, print_notes, say, show
from vidclass.tasks.hierarchy import HierarchyMetrics
from vidclass.tasks.multilabel import MultiLabelMetrics
from vidclass.training import run_folder as names

if TYPE_CHECKING:
    from vidclass.demo.demo import DemoResult
    from vidclass.evaluation.evaluate import Evaluation
    from vidclass.tasks.metrics import Metrics
    from vidclass.training.crossval import CrossValidation, SeedsResult
    from vidclass.training.head_selection import HeadChoice
    from vidclass.training.run_folder import RunResult


def summary(metrics: Metrics) -> str:
    """Return the headline figures in one line, with the number of clips."""
    if isinstance(metrics, MultiLabelMetrics):
        return multilabel_summary(metrics)
    low, high = metrics.accuracy_interval
    more = f"; {metrics.failed} more failed" if metrics.failed else ""
    return (
        f"accuracy {percent(metrics.accuracy)} (95 % interval {percent(low)} to {percent(high)}) "
        f"on {metrics.videos} clips{more}"
    )


def class_table(metrics: Metrics) -> Table:
    """Return a table of precision, recall and F1 by class."""
    if isinstance(metrics, MultiLabelMetrics):
        return multilabel_table(metrics)
    table = Table("class", title="by class", title_justify="left")
    lost = metrics.failed_by_class
    for column in ("clips", *(["failed"] if lost else []), "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for label, row in metrics.per_class.items():
        numbers = (percent(row[name]) for name in ("precision", "recall", "f1"))
        failed = [str(lost.get(label, 0))] if lost else []
        table.add_row(label, str(int(row["videos"])), *failed, *numbers)
    for label in metrics.unscored:
        table.add_row(label, "0", str(lost[label]), "", "", "")
    return table


def multilabel_summary(metrics: MultiLabelMetrics) -> str:
    """Return the headline figures of a multi-label classifier in one line."""
    low, high = metrics.accuracy_interval
    more = f"; {metrics.failed} more failed" if metrics.failed else ""
    return (
        f"mAP {percent(metrics.mean_average_precision)}, F1 {percent(metrics.micro_f1)} (micro) "
        f"and {percent(metrics.macro_f1)} (macro), all labels right {percent(metrics.exact_match)} "
        f"(95 % interval {percent(low)} to {percent(high)}), first label right "
        f"{percent(metrics.label_accuracy)} on {metrics.videos} clips{more}"
    )


def further_lines(metrics: Metrics) -> list[str]:
    """Return lines on levels, clips without a label, and rejection, as far as they apply."""
    lines = []
    if isinstance(metrics, HierarchyMetrics):
        for row in metrics.levels:
            low, high = row["accuracy_interval"]
            lines.append(
                f"level {row['level']}: accuracy {percent(row['accuracy'])} (95 % interval "
                f"{percent(low)} to {percent(high)}) on {row['videos']} clips"
            )
    if isinstance(metrics, MultiLabelMetrics) and metrics.none_of_these is not None:
        none = metrics.none_of_these
        lines.append(
            f"none of these: precision {percent(none['precision'])}, recall "
            f"{percent(none['recall'])}, F1 {percent(none['f1'])} on {int(none['videos'])} clips"
        )
    return lines + _rejection_lines(metrics)


def _rejection_lines(metrics: Metrics) -> list[str]:
    rejection = metrics.rejection
    if rejection is None:
        return []
    below = "" if rejection.unknown_below is None else f" below {percent(rejection.unknown_below)}"
    lines = [
        f"unknown{below}: {rejection.accepted} of {rejection.videos} clips accepted "
        f"({percent(rejection.coverage)}), accuracy on these "
        f"{percent(rejection.accuracy_on_accepted)}"
    ]
    if rejection.unknown_videos:
        rejected = percent(rejection.unknown_rejected)
        lines.append(
            f"clips of other classes: {rejected} of {rejection.unknown_videos} refused; AUROC of "
            f"the highest probability {rejection.auroc:.3f}"
        )
    return lines


def multilabel_table(metrics: MultiLabelMetrics) -> Table:
    """Return a table of average precision, threshold, precision, recall and F1 by class."""
    table = Table("class", title="by class", title_justify="left")
    lost = metrics.failed_by_class
    columns = ["clips", *(["failed"] if lost else []), "AP"]
    for column in (*columns, "threshold", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for label, row in metrics.per_class.items():
        failed = [str(lost.get(label, 0))] if lost else []
        threshold = metrics.thresholds.get(label)
        table.add_row(
            label,
            str(int(row["videos"])),
            *failed,
            percent(metrics.average_precision[label]),
            "by fold" if threshold is None else f"{threshold:.2f}",
            *(percent(row[name]) for name in ("precision", "recall", "f1")),
        )
    for label in metrics.unscored:
        table.add_row(label, "0", str(lost[label]), *[""] * 5)
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
        say(f"{name}: {summary(metrics)}")
        for line in further_lines(metrics):
            say(f"  {line}")
    if "test" in result.metrics:
        show(class_table(result.metrics["test"]))
    say(f"bundle: {result.bundle}")
    closing_line(result.extraction.ok, result.extraction.failures, result.folder / names.LEDGER)


def report_crossval(result: CrossValidation, *, ledger: Path | None, quiet: bool) -> None:
    """Print the folds and metrics; with `quiet`, only notes and the closing line."""
    print_notes(result.notes)
    if not quiet:
        several = isinstance(result.pooled, MultiLabelMetrics)
        table = Table("fold", title=f"head: {result.config.head}", title_justify="left")
        table.add_column("clips", justify="right")
        for column in ("all labels right", "mAP") if several else ("accuracy",):
            table.add_column(column, justify="right")
        chosen = result.config.compares_heads
        if chosen:
            table.add_column("chosen without this fold")
        for fold in result.folds:
            ap = [percent(fold.more["mean_average_precision"])] if several else []
            heads = [fold.heads] if chosen else []
            table.add_row(str(fold.fold), str(fold.videos), percent(fold.accuracy), *ap, *heads)
        show(table)
        say(
            f"mean accuracy {percent(result.accuracy_mean)}, deviation over folds "
            f"{percent(result.accuracy_std)}"
        )
        if several:
            say(f"all folds together: {summary(result.pooled)}")
        for line in further_lines(result.pooled):
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
        say(summary(result.metrics))
        for line in further_lines(result.metrics):
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
    say(f"{result.prediction.video}, which is {result.truth}:")
    for label, score in result.prediction.scores.items():
        say(f"  {label}: {percent(score):>7}")
    say(f"bundle:  {result.run.bundle}")
    say(f"GIF:     {result.gif}")
    say(f"summary: {result.page}")
    say(f"next:    vidclass predict {result.run.bundle} YOUR_VIDEO, or vidclass train YOUR_FOLDER")
    closing_line(result.run.extraction.ok, result.run.extraction.failures)
    say(f"done in {result.seconds:.0f} s")
