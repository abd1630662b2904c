"""Classes of an audit: clips, groups and durations of each, and issues of their balance."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vidclass._core.text import counted, listed, quoted
from vidclass.audit.inspection import ClipInspection
from vidclass.data.checks import Issue
from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SPLITS

# Largest class divided by the smallest.
IMBALANCE_NOTE = 3.0
IMBALANCE_WARNING = 10.0
# A class needs so many clips, of as many groups, to be in train, validation and test.
FEWEST_GROUPS = 3


@dataclass(frozen=True)
class ClassSummary:
    """Counts and durations of one class.

    Attributes:
        label: Name of the class.
        clips: Number of clips, readable or not.
        groups: Number of known groups.
        unreadable: Number of clips that cannot be read.
        splits: Number of clips in each given split.
        durations_s: Shortest, median and longest clip; None if none can be read.
    """

    label: str
    clips: int
    groups: int
    unreadable: int
    splits: dict[str, int]
    durations_s: tuple[float, float, float] | None


def summarize_classes(
    manifest: Manifest, inspections: Sequence[ClipInspection]
) -> list[ClassSummary]:
    """Return a summary of each class, in the order of `manifest.labels`."""
    rows_by_class: dict[str, list[int]] = {label: [] for label in manifest.labels}
    for row, label in enumerate(manifest.table["label"]):
        for name in labels_in(label):
            rows_by_class[name].append(row)
    groups, splits = manifest.table["group"].to_list(), manifest.table["split"].to_list()
    classes = []
    for label, rows in rows_by_class.items():
        durations_s = [
            inspections[row].duration_s for row in rows if inspections[row].failure is None
        ]
        counts = Counter(splits[row] for row in rows)
        classes.append(
            ClassSummary(
                label,
                clips=len(rows),
                groups=len({groups[row] for row in rows} - {None}),
                unreadable=len(rows) - len(durations_s),
                splits={name: counts[name] for name in SPLITS} if any(splits) else {},
                durations_s=(min(durations_s), statistics.median(durations_s), max(durations_s))
                if durations_s
                else None,
            )
        )
    return classes


def class_issues(manifest: Manifest, classes: Sequence[ClassSummary]) -> list[Issue]:
    """Return issues of the classes as a whole: names, balance, groups, splits."""
    issues = [*_similar_labels(classes), *_imbalance(classes), *_few_clips(classes)]
    issues += _few_groups(manifest, classes)
    for split in SPLITS:
        missing = [each.label for each in classes if each.splits and not each.splits[split]]
        if missing and len(missing) < len(classes):
            issues.append(
                Issue(
                    "class_missing_in_split",
                    "warning",
                    f"{counted(len(missing), 'class')} without a {split} clip: "
                    f"{listed(quoted(missing))}",
                    "No score on that split says anything about them.",
                )
            )
    if len(classes) == 1:
        issues.append(
            Issue(
                "one_class",
                "error",
                f"only one class, {classes[0].label!r}",
                "Training needs at least two. Was the folder above the classes meant?",
            )
        )
    unreadable = [each.label for each in classes if each.unreadable == each.clips]
    if unreadable:
        issues.append(
            Issue(
                "class_unreadable",
                "error",
                f"{counted(len(unreadable), 'class')} without a readable clip: "
                f"{listed(quoted(unreadable))}",
                "A classifier cannot learn a class without clips.",
            )
        )
    return issues


def _imbalance(classes: Sequence[ClassSummary]) -> list[Issue]:
    if len(classes) < 2:
        return []
    large = max(classes, key=lambda each: each.clips)
    small = min(classes, key=lambda each: each.clips)
    ratio = large.clips / small.clips
    if ratio < IMBALANCE_NOTE:
        return []
    total = sum(each.clips for each in classes)
    return [
        Issue(
            "imbalance",
            "warning" if ratio >= IMBALANCE_WARNING else "note",
            f"the largest class, {large.label!r}, has {ratio:.0f} times as many clips as the "
            f"smallest, {small.label!r} ({large.clips} and {small.clips})",
            f"Always predicting {large.label!r} would be right in {large.clips / total:.0%} of "
            "cases: look at macro F1 rather than accuracy. Training weighs classes by default.",
        )
    ]


def _few_clips(classes: Sequence[ClassSummary]) -> list[Issue]:
    few = [each for each in classes if each.clips < FEWEST_GROUPS]
    if not few:
        return []
    cases = [f"{each.label!r} has {counted(each.clips, 'clip')}" for each in few]
    return [
        Issue(
            "few_clips",
            "warning",
            f"{counted(len(few), 'class')} of fewer than {FEWEST_GROUPS} clips: {listed(cases)}",
            "Such a class cannot be in train, validation and test. Add clips or drop it.",
        )
    ]


def _few_groups(manifest: Manifest, classes: Sequence[ClassSummary]) -> list[Issue]:
    unknown = manifest.table["group"].null_count()
    if unknown:
        clips = "every clip" if unknown == len(manifest) else counted(unknown, "clip")
        return [
            Issue(
                "groups_unknown",
                "note",
                f"the groups of {clips} are unknown",
                "Clips cut from one recording may land on both sides of a split, and scores would "
                "be too good. Add a `group` column that names the recording.",
            )
        ]
    few = [each for each in classes if each.groups < FEWEST_GROUPS <= each.clips]
    if not few:
        return []
    cases = [f"{each.label!r} has {counted(each.groups, 'group')}" for each in few]
    return [
        Issue(
            "few_groups",
            "warning",
            f"{counted(len(few), 'class')} of fewer than {FEWEST_GROUPS} groups: {listed(cases)}",
            "Such a class cannot be in train, validation and test without a leak, and a "
            "classifier may learn its recording instead of its content. Add recordings.",
        )
    ]


def _similar_labels(classes: Sequence[ClassSummary]) -> list[Issue]:
    """Return an issue if labels differ in case, blanks and punctuation only."""
    labels_by_letters: defaultdict[str, list[str]] = defaultdict(list)
    for each in classes:
        letters = "".join(filter(str.isalnum, each.label.casefold()))
        labels_by_letters[letters].append(each.label)
    cases = [
        " and ".join(quoted(labels))
        for letters, labels in labels_by_letters.items()
        if letters and labels[1:]
    ]
    if not cases:
        return []
    return [
        Issue(
            "labels_alike",
            "warning",
            f"labels that look like one class: {listed(cases)}",
            "They count as different classes. Give them one spelling if they are the same.",
        )
    ]
