"""What is said of single clips, of splits, and of duplicates."""

from __future__ import annotations

import pytest

from inspected_clips import look_of, manifest_of
from vidclass.audit import issues as find
from vidclass.audit.duplicates import Duplicates
from vidclass.evaluation.label_issues import Suspect


@pytest.mark.parametrize(
    ("columns", "kind", "words"),
    [
        ({"label": ["a", "a"], "group": ["g", "g"], "split": ["train", "test"]}, "leak",
         "A leak: the clips of group: g"),
        ({"label": ["a", "a"], "group": ["g", "g"], "fold": [0, 1]}, "leak", "of the given folds"),
        ({"label": ["a", "b"], "video": ["/v/x", "/v/x"]}, "contradiction",
         "The same clip with two labels: '/v/x' has 'a' and 'b'. Keep one, or pass"),
        ({"label": ["a", "b"], "split": ["train", "test"]}, "unknown_label",
         "Unknown labels in the test set: 'b'"),
    ],
)  # fmt: skip
def test_what_training_would_refuse(columns: dict[str, list[str]], kind: str, words: str) -> None:
    [finding] = find.table_findings(manifest_of(**columns))
    assert (finding.kind, finding.severity) == (kind, "error")
    assert words in finding.advice


def test_a_sound_table() -> None:
    sound = manifest_of(label=["a", "a"], group=["g", "h"], split=["train", "test"])
    assert not find.table_findings(sound)


def test_unreadable_clips_are_grouped_by_cause() -> None:
    looks = [
        look_of(0),
        look_of(1, failed="gone"),
        look_of(2, failed="bad"),
        look_of(3, failed="bad"),
    ]
    bad, gone = find.unreadable(looks)
    assert (bad.title, bad.rows) == ("2 clips that cannot be read: bad", (2, 3))
    assert (gone.title, gone.rows) == ("1 clip that cannot be read: gone", (1,))


def test_black_and_frozen() -> None:
    looks = [look_of(0), look_of(1, black=True, frozen=True), look_of(2, frozen=True)]
    black, frozen = find.seen(looks, deep=False)
    assert (black.kind, black.rows, black.title) == ("black", (1,), "1 black clip")
    assert (frozen.kind, frozen.rows, frozen.title) == ("frozen", (2,), "1 frozen clip")
    assert "--deep looks at all" in black.advice
    assert find.seen(looks, deep=True)[0].advice == "All of their frames were looked at."


def test_lengths() -> None:
    manifest = manifest_of(label=["a"] * 6, stop_s=[None, None, None, None, None, 4.6])
    looks = [look_of(0), look_of(1), look_of(2, frame_count=3), look_of(3, duration_s=40.1),
             look_of(4, duration_s=0.39), look_of(5)]  # fmt: skip
    told = {one.kind: (one.rows, one.details) for one in find.lengths(manifest, looks)}
    assert told == {
        "few_frames": ((2,), ("3 frames",)),
        "span_beyond_end": ((5,), ("ends at 4.6 s, the video at 4.0 s",)),
        "long": ((3,), ("40.1 s",)),
        "short": ((4,), ("0.39 s",)),
    }
    assert not find.lengths(manifest_of(label=["a"]), [look_of(0, failed="gone")])


def test_duplicates_under_the_worst_that_they_do() -> None:
    exact = Duplicates((0, 1, 2), 1.0, True, ("labels", "splits", "groups"))
    near = Duplicates((2, 3), 0.99, False, ("groups",))
    harmless = Duplicates((4, 5), 0.99, False, ())
    first, second, third = find.duplicate_findings([exact, near, harmless])
    assert (first.kind, first.severity, first.rows) == (
        "exact_duplicates_across_labels", "error", (0, 1, 2)
    )  # fmt: skip
    assert first.title == "1 set of exact duplicates across labels: 3 clips"
    assert (second.kind, second.severity) == ("near_duplicates_across_groups", "warning")
    assert (third.kind, third.severity) == ("duplicates_inside_groups", "note")
    assert third.title == "1 set of duplicates inside a group and a class"
    assert not find.duplicate_findings([])


def test_suspects() -> None:
    [told] = find.suspect_findings([Suspect(3, "a", 0.1, "b", 0.8)], 0.75)
    assert (told.title, told.rows, told.details) == (
        "1 clip whose label may be wrong", (3,), ("a → b",)
    )  # fmt: skip
    assert "agrees with 75% of all labels" in told.advice
    assert not find.suspect_findings([], 1.0)
