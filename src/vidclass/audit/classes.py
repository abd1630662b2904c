"""The classes of an audit: how many clips each has, from how many groups, how long."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vidclass._core.text import counted, listed, quoted
from vidclass.audit.inspection import ClipLook
from vidclass.audit.issues import Finding
from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SPLITS

# The largest class by the smallest.
IMBALANCE_NOTE = 3.0
IMBALANCE_WARNING = 10.0
# A class needs so many clips, of as many groups, to be in train, validation and test.
FEWEST_GROUPS = 3


@dataclass(frozen=True)
class ClassFacts:
    """One class.

    Attributes:
        label: Its name.
        clips: How many there are, readable or not.
        groups: How many known groups they come from.
        unreadable: How many of them cannot be read.
        splits: How many are in each given split.
        durations_s: The shortest, the median and the longest; None where none can be read.
    """

    label: str
    clips: int
    groups: int
    unreadable: int
    splits: dict[str, int]
    durations_s: tuple[float, float, float] | None


def class_facts(manifest: Manifest, looks: Sequence[ClipLook]) -> list[ClassFacts]:
    """One row a class, in the order of `manifest.labels`."""
    rows_of: dict[str, list[int]] = {label: [] for label in manifest.labels}
    for row, label in enumerate(manifest.table["label"]):
        for name in labels_in(label):
            rows_of[name].append(row)
    groups, splits = manifest.table["group"].to_list(), manifest.table["split"].to_list()
    facts = []
    for label, rows in rows_of.items():
        lengths = [looks[row].duration_s for row in rows if looks[row].failure is None]
        held = Counter(splits[row] for row in rows)
        facts.append(
            ClassFacts(
                label,
                clips=len(rows),
                groups=len({groups[row] for row in rows} - {None}),
                unreadable=len(rows) - len(lengths),
                splits={name: held[name] for name in SPLITS} if any(splits) else {},
                durations_s=(min(lengths), statistics.median(lengths), max(lengths))
                if lengths
                else None,
            )
        )
    return facts


def class_findings(manifest: Manifest, classes: Sequence[ClassFacts]) -> list[Finding]:
    """What is wrong or odd with the classes, clips apart."""
    findings = [*_alike(classes), *_imbalance(classes), *_few_clips(classes)]
    findings += _few_groups(manifest, classes)
    absent = {
        name: [fact.label for fact in classes if fact.splits and not fact.splits[name]]
        for name in SPLITS
    }
    for name, labels in absent.items():
        if labels and len(labels) < len(classes):
            findings.append(
                Finding(
                    "class_missing_in_split",
                    "warning",
                    f"{counted(len(labels), 'class')} without a {name} clip: "
                    f"{listed(quoted(labels))}",
                    "No score on that split says anything about them.",
                )
            )
    if len(classes) == 1:
        findings.append(
            Finding(
                "one_class",
                "error",
                f"only one class, {classes[0].label!r}",
                "Training needs at least two. Was the folder above the classes meant?",
            )
        )
    lost = [fact.label for fact in classes if fact.unreadable == fact.clips]
    if lost:
        findings.append(
            Finding(
                "class_unreadable",
                "error",
                f"{counted(len(lost), 'class')} without a readable clip: {listed(quoted(lost))}",
                "A classifier cannot learn what it never sees.",
            )
        )
    return findings


def _imbalance(classes: Sequence[ClassFacts]) -> list[Finding]:
    if len(classes) < 2:
        return []
    large = max(classes, key=lambda fact: fact.clips)
    small = min(classes, key=lambda fact: fact.clips)
    ratio = large.clips / small.clips
    if ratio < IMBALANCE_NOTE:
        return []
    total = sum(fact.clips for fact in classes)
    return [
        Finding(
            "imbalance",
            "warning" if ratio >= IMBALANCE_WARNING else "note",
            f"the largest class, {large.label!r}, has {ratio:.0f} times as many clips as the "
            f"smallest, {small.label!r} ({large.clips} and {small.clips})",
            f"Always answering {large.label!r} would be right in {large.clips / total:.0%} of "
            "cases: look at macro F1 rather than accuracy. Training weighs classes by default.",
        )
    ]


def _few_clips(classes: Sequence[ClassFacts]) -> list[Finding]:
    few = [fact for fact in classes if fact.clips < FEWEST_GROUPS]
    if not few:
        return []
    cases = [f"{fact.label!r} has {counted(fact.clips, 'clip')}" for fact in few]
    return [
        Finding(
            "few_clips",
            "warning",
            f"{counted(len(few), 'class')} of fewer than {FEWEST_GROUPS} clips: {listed(cases)}",
            "Such a class cannot be in train, validation and test. Add clips or drop it.",
        )
    ]


def _few_groups(manifest: Manifest, classes: Sequence[ClassFacts]) -> list[Finding]:
    unknown = manifest.table["group"].null_count()
    if unknown:
        which = "every clip" if unknown == len(manifest) else counted(unknown, "clip")
        return [
            Finding(
                "groups_unknown",
                "note",
                f"the groups of {which} are unknown",
                "Clips cut from one recording may land on both sides of a split, and scores would "
                "be too good. Add a `group` column that names the recording.",
            )
        ]
    few = [fact for fact in classes if fact.groups < FEWEST_GROUPS <= fact.clips]
    if not few:
        return []
    cases = [f"{fact.label!r} has {counted(fact.groups, 'group')}" for fact in few]
    return [
        Finding(
            "few_groups",
            "warning",
            f"{counted(len(few), 'class')} of fewer than {FEWEST_GROUPS} groups: {listed(cases)}",
            "Such a class cannot be in train, validation and test without a leak, and a "
            "classifier may learn its recording in place of what happens. Add recordings.",
        )
    ]


def _alike(classes: Sequence[ClassFacts]) -> list[Finding]:
    """Labels that differ in case, blanks and punctuation alone."""
    spelt: defaultdict[str, list[str]] = defaultdict(list)
    for fact in classes:
        spelt["".join(filter(str.isalnum, fact.label.casefold()))].append(fact.label)
    cases = [" and ".join(quoted(labels)) for key, labels in spelt.items() if key and labels[1:]]
    if not cases:
        return []
    return [
        Finding(
            "labels_alike",
            "warning",
            f"labels that look like one class: {listed(cases)}",
            "They count as different classes. Give them one spelling if they are the same.",
        )
    ]
