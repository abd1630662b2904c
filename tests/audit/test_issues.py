"""Issues of single clips, of the table, and of labels."""

from __future__ import annotations

import pytest

from inspected_clips import inspected, manifest_of
from vidclass.audit import issues as find
from vidclass.evaluation.label_issues import LabelIssue


@pytest.mark.parametrize(
    ("columns", "kind", "words"),
    [
        (
            {"label": ["a", "a"], "group": ["g", "g"], "split": ["train", "test"]},
            "leak",
            "A leak: the clips of group: g",
        ),
        ({"label": ["a", "a"], "group": ["g", "g"], "fold": [0, 1]}, "leak", "of the given folds"),
        (
            {"label": ["a", "b"], "video": ["/v/x", "/v/x"]},
            "contradiction",
            "The same clip with two labels: '/v/x' has 'a' and 'b'. Keep one, or pass",
        ),
        (
            {"label": ["a", "b"], "split": ["train", "test"]},
            "unknown_label",
            "Unknown labels in the test set: 'b'",
        ),
    ],
)
def test_issues_that_training_refuses(columns: dict[str, list[str]], kind: str, words: str) -> None:
    [issue] = find.table_issues(manifest_of(**columns))
    assert (issue.kind, issue.severity) == (kind, "error")
    assert words in issue.advice


def test_a_sound_table() -> None:
    sound = manifest_of(label=["a", "a"], group=["g", "h"], split=["train", "test"])
    assert not find.table_issues(sound)


def test_unreadable_clips_are_grouped_by_cause() -> None:
    inspections = [
        inspected(0),
        inspected(1, failed="gone"),
        inspected(2, failed="bad"),
        inspected(3, failed="bad"),
    ]
    bad, gone = find.unreadable_issues(inspections)
    assert (bad.title, bad.rows) == ("2 clips that cannot be read: bad", (2, 3))
    assert (gone.title, gone.rows) == ("1 clip that cannot be read: gone", (1,))


def test_black_and_frozen() -> None:
    inspections = [
        inspected(0),
        inspected(1, black=True, frozen=True),
        inspected(2, frozen=True),
    ]
    black, frozen = find.black_frozen_issues(inspections, deep=False)
    assert (black.kind, black.rows, black.title) == ("black", (1,), "1 black clip")
    assert (frozen.kind, frozen.rows, frozen.title) == ("frozen", (2,), "1 frozen clip")
    assert "`deep=True` inspects all" in black.advice
    assert (
        find.black_frozen_issues(inspections, deep=True)[0].advice
        == "All of their frames were inspected."
    )


def test_durations() -> None:
    manifest = manifest_of(label=["a"] * 6, stop_s=[None, None, None, None, None, 4.6])
    inspections = [
        inspected(0),
        inspected(1),
        inspected(2, frame_count=3),
        inspected(3, duration_s=40.1),
        inspected(4, duration_s=0.39),
        inspected(5),
    ]
    issues = {
        one.kind: (one.rows, one.details) for one in find.duration_issues(manifest, inspections)
    }
    assert issues == {
        "few_frames": ((2,), ("3 frames",)),
        "span_beyond_end": ((5,), ("ends at 4.6 s, the video at 4.0 s",)),
        "long": ((3,), ("40.1 s",)),
        "short": ((4,), ("0.39 s",)),
    }
    assert not find.duration_issues(manifest_of(label=["a"]), [inspected(0, failed="gone")])


def test_wrong_labels() -> None:
    [issue] = find.wrong_label_issues([LabelIssue(3, "a", 0.1, "b", 0.8)], 0.75)
    assert (issue.title, issue.rows, issue.details) == (
        "1 clip whose label may be wrong",
        (3,),
        ("a → b",),
    )
    assert "agrees with 75% of all labels" in issue.advice
    assert not find.wrong_label_issues([], 1.0)
