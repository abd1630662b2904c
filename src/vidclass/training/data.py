"""Clips ready for a head: as arrays in memory, or read as training goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import ShapeError
from vidclass.features.decoding import pad_clips
from vidclass.features.store.stored_clips import StoredClips
from vidclass.tasks.targets import class_members, require_targets


@dataclass(frozen=True)
class Examples:
    """Clips in memory.  features (N,T,D) float32; mask (N,T) bool.

    targets (N,) int class indices or (N,K) float32, as `LabelTask.targets` gives them.
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    targets: NDArray[Any]

    def __post_init__(self) -> None:
        """Check that the three agree."""
        if self.features.shape[:2] != self.mask.shape or len(self.targets) != len(self.mask):
            raise ShapeError(
                f"features {self.features.shape}, mask {self.mask.shape} and targets "
                f"{self.targets.shape} do not fit"
            )
        require_targets(self.targets)

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.targets)

    @property
    def steps(self) -> tuple[int, int]:
        """T and D."""
        return self.features.shape[1], self.features.shape[2]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: nothing, for clips in memory."""
        return ()

    def inputs(self) -> dict[str, NDArray[Any]]:
        """What a head takes."""
        return {"features": self.features, "mask": self.mask}

    def joined(self, other: Examples) -> Examples:
        """These clips and the others."""
        return Examples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.mask, other.mask]),
            np.concatenate([self.targets, other.targets]),
        )

    def at(self, rows: NDArray[Any]) -> Examples:
        """The clips in these rows."""
        return Examples(self.features[rows], self.mask[rows], self.targets[rows])


@dataclass(frozen=True)
class StoredExamples:
    """Clips of which only keys and classes are in memory: features are read as they are needed.

    Attributes:
        clips: N clips.
        frames: T.
        targets: Targets, as in `Examples`.
        notes: What the user should know.
    """

    clips: StoredClips
    frames: int
    targets: NDArray[Any]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check that there is a class for each clip."""
        if len(self.clips) != len(self.targets):
            raise ShapeError(f"{len(self.clips)} clips but targets of shape {self.targets.shape}")

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.targets)

    @property
    def steps(self) -> tuple[int, int]:
        """T and D."""
        return self.frames, self.clips.width

    def joined(self, other: StoredExamples) -> StoredExamples:
        """These clips and the others."""
        targets = np.concatenate([self.targets, other.targets])
        clips = self.clips.joined(other.clips)
        return StoredExamples(clips, self.frames, targets, self.notes)

    def at(self, rows: NDArray[Any]) -> StoredExamples:
        """The clips in these rows."""
        clips = self.clips.at(rows)
        return StoredExamples(clips, self.frames, self.targets[rows], self.notes)

    def read(self, rows: NDArray[Any]) -> Examples:
        """The clips in these rows, in memory."""
        features, mask = pad_clips(self.clips.read(rows), self.frames)
        return Examples(features, mask, self.targets[rows])


AnyExamples = Examples | StoredExamples


def in_memory(data: AnyExamples, rows: NDArray[Any]) -> Examples:
    """The clips in these rows, in memory."""
    return data.at(rows) if isinstance(data, Examples) else data.read(rows)


def joined(first: AnyExamples, second: AnyExamples) -> AnyExamples:
    """Both, one behind the other.

    Raises:
        ShapeError: one is in memory and the other is not.
    """
    if isinstance(first, Examples) and isinstance(second, Examples):
        return first.joined(second)
    if isinstance(first, StoredExamples) and isinstance(second, StoredExamples):
        return first.joined(second)
    raise ShapeError(
        f"{type(first).__name__} and {type(second).__name__} cannot be joined: make both with "
        "`examples`"
    )


def sample(data: StoredExamples, *, most: int) -> Examples:
    """`most` clips at random, the same each time, and one of each class that has none there."""
    order = np.random.default_rng(0).permutation(len(data))
    rows, others = order[:most], order[most:]
    members, classes = class_members(data.targets[others])
    absent, first = np.unique(classes, return_index=True)
    missing = np.isin(absent, class_members(data.targets[rows])[1], invert=True)
    more = others[members[first[missing]]]
    return data.read(np.unique(np.concatenate([rows, more])))
