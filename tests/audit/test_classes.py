"""Class counts, and what is said of their balance and groups."""

from __future__ import annotations

import pytest

from inspected_clips import look_of, manifest_of
from vidclass.audit.classes import class_facts, class_findings
from vidclass.audit.issues import Finding
from vidclass.data.manifest import Manifest


def found(manifest: Manifest, failed: set[int] = frozenset()) -> dict[str, Finding]:  # type: ignore[assignment]
    looks = [look_of(row, failed="gone" if row in failed else "") for row in range(len(manifest))]
    facts = class_facts(manifest, looks)
    return {finding.kind: finding for finding in class_findings(manifest, facts)}


def test_facts() -> None:
    manifest = manifest_of(
        label=["b", "a", "a", "a"],
        group=[None, "g1", "g2", "g1"],
        split=["train", "train", "test", None],
    )
    looks = [look_of(0), look_of(1, duration_s=1.0), look_of(2, duration_s=9.0)]
    a, b = class_facts(manifest, [*looks, look_of(3, failed="gone")])
    assert (a.label, a.clips, a.groups, a.unreadable) == ("a", 3, 2, 1)
    assert a.splits == {"train": 1, "validation": 0, "test": 1}
    assert a.durations_s == (1.0, 5.0, 9.0)
    assert (b.groups, b.durations_s) == (0, (4.0, 4.0, 4.0))


def test_a_class_without_a_readable_clip_has_no_lengths() -> None:
    manifest = manifest_of(label=["a", "b"])
    a, _ = class_facts(manifest, [look_of(0, failed="gone"), look_of(1)])
    assert (a.durations_s, a.splits) == (None, {})
    assert found(manifest, {0})["class_unreadable"].title == (
        "1 class without a readable clip: 'a'"
    )


def test_a_clip_of_two_classes_counts_in_both() -> None:
    manifest = manifest_of(label=["a", "a|b"])
    assert [f.clips for f in class_facts(manifest, [look_of(0), look_of(1)])] == [2, 1]


@pytest.mark.parametrize(
    ("large", "severity"), [(2, None), (3, "note"), (9, "note"), (10, "warning")]
)
def test_imbalance(large: int, severity: str | None) -> None:
    imbalance = found(manifest_of(label=["a"] * large + ["b"])).get("imbalance")
    assert (imbalance and imbalance.severity) == severity
    if imbalance:
        assert imbalance.title == (
            f"the largest class, 'a', has {large} times as many clips as the smallest, 'b' "
            f"({large} and 1)"
        )
        assert f"right in {large / (large + 1):.0%} of cases" in imbalance.advice


def test_groups() -> None:
    labels = ["a"] * 3 + ["b"] * 3
    whole = found(manifest_of(label=labels, group=list("123456")))
    assert not whole
    few = found(manifest_of(label=labels, group=list("123455")))["few_groups"]
    assert few.title == "1 class of fewer than 3 groups: 'b' has 2 groups"
    some = found(manifest_of(label=labels, group=[*"12345", None]))
    assert some["groups_unknown"].title == "the groups of 1 clip are unknown"
    none = found(manifest_of(label=labels))
    assert none["groups_unknown"].title == "the groups of every clip are unknown"
    assert "few_groups" not in none


def test_few_clips() -> None:
    told = found(manifest_of(label=["a"] * 3 + ["b"] * 2, group=list("12345")))
    assert told["few_clips"].title == "1 class of fewer than 3 clips: 'b' has 2 clips"
    assert "few_groups" not in told  # said once
    assert "few_clips" not in found(manifest_of(label=["a"] * 3 + ["b"] * 3))


def test_a_class_missing_in_a_split() -> None:
    manifest = manifest_of(label=["a", "b", "a"], split=["train", "train", "test"])
    kinds = found(manifest)
    # No validation clips at all are no gap of a class.
    assert kinds["class_missing_in_split"].title == "1 class without a test clip: 'b'"


def test_one_class() -> None:
    one = found(manifest_of(label=["a", "a"]))["one_class"]
    assert (one.severity, one.title) == ("error", "only one class, 'a'")


def test_labels_alike() -> None:
    labels = ["Golf Swing", "golf_swing", "run", "?", "!"]
    alike = found(manifest_of(label=labels))["labels_alike"]
    assert alike.title == "labels that look like one class: 'Golf Swing' and 'golf_swing'"
    assert "labels_alike" not in found(manifest_of(label=["run", "walk"]))
