"""How metrics look on a terminal that only some kinds of classifiers have."""

from __future__ import annotations

from rich.table import Table

from vidclass.tasks.hierarchy import HierarchyMetrics
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.multilabel import MultiLabelMetrics


def share(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"


def multilabel_summary(metrics: MultiLabelMetrics) -> str:
    """The figures of several labels a clip, in one line."""
    low, high = metrics.accuracy_interval
    more = f"; {metrics.failed} more failed" if metrics.failed else ""
    return (
        f"mAP {share(metrics.mean_average_precision)}, F1 {share(metrics.micro_f1)} (micro) and "
        f"{share(metrics.macro_f1)} (macro), all labels right {share(metrics.exact_match)} (95 % "
        f"interval {share(low)} to {share(high)}), first label right "
        f"{share(metrics.label_accuracy)} on {metrics.videos} clips{more}"
    )


def further_lines(metrics: Metrics) -> list[str]:
    """What else there is to say: by level, of clips of none of the classes, of unknown ones."""
    lines = []
    if isinstance(metrics, HierarchyMetrics):
        for row in metrics.levels:
            low, high = row["accuracy_interval"]
            lines.append(
                f"level {row['level']}: accuracy {share(row['accuracy'])} (95 % interval "
                f"{share(low)} to {share(high)}) on {row['videos']} clips"
            )
    if isinstance(metrics, MultiLabelMetrics) and metrics.none_of_these is not None:
        none = metrics.none_of_these
        lines.append(
            f"none of these: precision {share(none['precision'])}, recall "
            f"{share(none['recall'])}, F1 {share(none['f1'])} on {int(none['videos'])} clips"
        )
    return lines + _rejection_lines(metrics)


def _rejection_lines(metrics: Metrics) -> list[str]:
    found = metrics.rejection
    if found is None:
        return []
    below = "" if found.unknown_below is None else f" below {share(found.unknown_below)}"
    lines = [
        f"unknown{below}: {found.accepted} of {found.videos} clips accepted "
        f"({share(found.coverage)}), accuracy on these {share(found.accuracy_on_accepted)}"
    ]
    if found.unknown_videos:
        lines.append(
            f"clips of other classes: {share(found.unknown_rejected)} of {found.unknown_videos} "
            f"refused; AUROC of the highest probability {found.auroc:.3f}"
        )
    return lines


def multilabel_table(metrics: MultiLabelMetrics) -> Table:
    """Average precision, threshold, precision, recall and F1 by class."""
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
            share(metrics.average_precision[label]),
            "by fold" if threshold is None else f"{threshold:.2f}",
            *(share(row[name]) for name in ("precision", "recall", "f1")),
        )
    for label in metrics.unscored:
        table.add_row(label, "0", str(lost[label]), *[""] * 5)
    return table
