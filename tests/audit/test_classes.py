"""Class counts, and issues of balance and groups."""

from __future__ import annotations

import pytest

from inspected_clips import inspected, manifest_of
from vidclass.audit.classes import class_issues, summarize_classes
from vidclass.data.checks import Issue
from vidclass.data.manifest import Manifest


def issues_by_kind(manifest: Manifest, failed: set[int] = frozenset()) -> dict[str, Issue]:  # type: ignore[assignment]
    inspections = [
        inspected(row, failed="gone" if row in failed else "") for row in range(len(manifest))
    ]
    classes = summarize_classes(manifest, inspections)
    return {issue.kind: issue for issue in class_issues(manifest, classes)}


def test_summaries() -> None:
    manifest = manifest_of(
        label=["b", "a", "a", "a"],
        group=[None, "g1", "g2", "g1"],
        split=["train", "train", "test", None],
    )
    inspections = [inspected(0), inspected(1, duration_s=1.0), inspected(2, duration_s=9.0)]
    a, b = summarize_classes(manifest, [*inspections, inspected(3, failed="gone")])
    assert (a.label, a.clips, a.groups, a.unreadable) == ("a", 3, 2, 1)
    assert a.splits == {"train": 1, "validation": 0, "test": 1}
    assert a.durations_s == (1.0, 5.0, 9.0)
    assert (b.groups, b.durations_s) == (0, (4.0, 4.0, 4.0))


def test_a_class_without_a_readable_clip_has_no_lengths() -> None:
    manifest = manifest_of(label=["a", "b"])
    a, _ = summarize_classes(manifest, [inspected(0, failed="gone"), inspected(1)])
    assert (a.durations_s, a.splits) == (None, {})
    assert issues_by_kind(manifest, {0})["class_unreadable"].title == (
        "1 class without a readable clip: 'a'"
    )


def test_a_clip_of_two_classes_counts_in_both() -> None:
    manifest = manifest_of(label=["a", "a|b"])
    assert [each.clips for each in summarize_classes(manifest, [inspected(0), inspected(1)])] == [
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("large", "severity"), [(2, None), (3, "note"), (9, "note"), (10, "warning")]
)
def test_imbalance(large: int, severity: str | None) -> None:
    imbalance = issues_by_kind(manifest_of(label=["a"] * large + ["b"])).get("imbalance")
    assert (imbalance and imbalance.severity) == severity
    if imbalance:
        assert imbalance.title == (
            f"the largest class, 'a', has {large} times as many clips as the smallest, 'b' "
            f"({large} and 1)"
        )
        assert f"right in {large / (large + 1):.0%} of cases" in imbalance.advice


def test_groups() -> None:
    labels = ["a"] * 3 + ["b"] * 3
    whole = issues_by_kind(manifest_of(label=labels, group=list("123456")))
    assert not whole
    few = issues_by_kind(manifest_of(label=labels, group=list("123455")))["few_groups"]
    assert few.title == "1 class of fewer than 3 groups: 'b' has 2 groups"
    some = issues_by_kind(manifest_of(label=labels, group=[*"12345", None]))
    assert some["groups_unknown"].title == "the groups of 1 clip are unknown"
    none = issues_by_kind(manifest_of(label=labels))
    assert none["groups_unknown"].title == "the groups of every clip are unknown"
    assert "few_groups" not in none


def test_few_clips() -> None:
    issues = issues_by_kind(manifest_of(label=["a"] * 3 + ["b"] * 2, group=list("12345")))
    assert issues["few_clips"].title == "1 class of fewer than 3 clips: 'b' has 2 clips"
    assert "few_groups" not in issues  # reported once
    assert "few_clips" not in issues_by_kind(manifest_of(label=["a"] * 3 + ["b"] * 3))


def test_a_class_missing_in_a_split() -> None:
    manifest = manifest_of(label=["a", "b", "a"], split=["train", "train", "test"])
    issues = issues_by_kind(manifest)
    # A split without any clip is no gap of a class.
    assert issues["class_missing_in_split"].title == "1 class without a test clip: 'b'"


def test_one_class() -> None:
    one = issues_by_kind(manifest_of(label=["a", "a"]))["one_class"]
    assert (one.severity, one.title) == ("error", "only one class, 'a'")


def test_labels_alike() -> None:
    labels = ["Golf Swing", "golf_swing", "run", "?", "!"]
    alike = issues_by_kind(manifest_of(label=labels))["labels_alike"]
    assert alike.title == "labels that look like one class: 'Golf Swing' and 'golf_swing'"
    assert "labels_alike" not in issues_by_kind(manifest_of(label=["run", "walk"]))
