"""Clips that failed, counted by class: what no score covers must be said with the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from vidclass._core.text import counted, listed
from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest

_MOST_CLASSES = 10


class LostCounts(TypedDict):
    """The arguments of metrics that tell of failed clips."""

    failed: int
    failed_by_class: dict[str, int]


@dataclass(frozen=True)
class Lost:
    """Clips that failed.

    A clip of several classes counts in each of them, but once in `clips`.

    Attributes:
        clips: How many.
        by_class: How many of each class that lost any, in the classes' order.
        had: How many clips those classes had before.
    """

    clips: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    had: dict[str, int] = field(default_factory=dict)

    @property
    def whole_classes(self) -> list[str]:
        """The classes of which no clip is left."""
        return [label for label, count in self.by_class.items() if count == self.had[label]]

    def counts(self) -> LostCounts:
        """What metrics say of them."""
        return {"failed": self.clips, "failed_by_class": self.by_class}

    def notes(self) -> tuple[str, ...]:
        """What the user should know, as sentences; none where nothing was lost."""
        if not self.clips:
            return ()
        shares = [f"{n} of {self.had[label]} of {label!r}" for label, n in self.by_class.items()]
        told = listed(shares, most=_MOST_CLASSES)
        verb = "is" if self.clips == 1 else "are"
        return (
            f"{counted(self.clips, 'clip')} failed and {verb} in no score: {told}",
            *(
                f"no clip of {label!r} could be read: this class is left out"
                for label in self.whole_classes
            ),
        )


def lost_clips(manifest: Manifest, failed: Sequence[bool], *, split: str | None = None) -> Lost:
    """Count the clips that failed: all of them, or those of a given split."""
    table = manifest.table
    clips, had, by_class = 0, Counter[str](), Counter[str]()
    for label, part, is_lost in zip(table["label"], table["split"], failed, strict=True):
        if split is None or part == split:
            clips += is_lost
            had.update(labels_in(label))
            by_class.update(labels_in(label) if is_lost else ())
    names = sorted(by_class)
    return Lost(
        clips, {name: by_class[name] for name in names}, {name: had[name] for name in names}
    )
