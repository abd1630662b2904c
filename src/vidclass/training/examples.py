"""Clips for training a head: targets, and features in memory or read from the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ShapeError
from vidclass.features.decoding import pad_clips
from vidclass.features.extract import Extraction
from vidclass.features.near_duplicates import join_near_duplicates
from vidclass.features.store.stored_clips import MEMORY_VARIABLE, StoredClips, memory_mb
from vidclass.tasks.base import LabelTask
from vidclass.tasks.targets import class_members, require_targets

# The arrays of all clips, of each split, and of the splits that a refit joins.
_COPIES = 3


@dataclass(frozen=True)
class Examples:
    """Clips in memory.  features (N,T,D) float32; mask (N,T) bool.

    targets (N,) int class indices or (N,K) float32, as `LabelTask.targets` gives them.
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    targets: NDArray[Any]

    def __post_init__(self) -> None:
        """Check that the arrays fit one another."""
        if self.features.shape[:2] != self.mask.shape or len(self.targets) != len(self.mask):
            raise ShapeError(
                f"features {self.features.shape}, mask {self.mask.shape} and targets "
                f"{self.targets.shape} do not fit"
            )
        require_targets(self.targets)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.targets)

    @property
    def steps(self) -> tuple[int, int]:
        """T and D."""
        return self.features.shape[1], self.features.shape[2]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: none for clips in memory."""
        return ()

    def inputs(self) -> dict[str, NDArray[Any]]:
        """Return the inputs of a head by name."""
        return {"features": self.features, "mask": self.mask}

    def joined(self, other: Examples) -> Examples:
        """Return these clips followed by the others."""
        return Examples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.mask, other.mask]),
            np.concatenate([self.targets, other.targets]),
        )

    def at(self, rows: NDArray[Any]) -> Examples:
        """Return the clips in these rows."""
        return Examples(self.features[rows], self.mask[rows], self.targets[rows])


@dataclass(frozen=True)
class StoredExamples:
    """Clips of which only keys and targets are in memory: features are read when needed.

    Attributes:
        clips: N clips of the store.
        frames: T.
        targets: Targets, as in `Examples`.
        notes: Sentences for the user.
    """

    clips: StoredClips
    frames: int
    targets: NDArray[Any]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check that there is a target for each clip."""
        if len(self.clips) != len(self.targets):
            raise ShapeError(f"{len(self.clips)} clips but targets of shape {self.targets.shape}")

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.targets)

    @property
    def steps(self) -> tuple[int, int]:
        """T and D."""
        return self.frames, self.clips.width

    def joined(self, other: StoredExamples) -> StoredExamples:
        """Return these clips followed by the others."""
        targets = np.concatenate([self.targets, other.targets])
        clips = self.clips.joined(other.clips)
        return StoredExamples(clips, self.frames, targets, self.notes)

    def at(self, rows: NDArray[Any]) -> StoredExamples:
        """Return the clips in these rows."""
        clips = self.clips.at(rows)
        return StoredExamples(clips, self.frames, self.targets[rows], self.notes)

    def read(self, rows: NDArray[Any]) -> Examples:
        """Read the clips in these rows into memory."""
        features, mask = pad_clips(self.clips.read(rows), self.frames)
        return Examples(features, mask, self.targets[rows])


AnyExamples = Examples | StoredExamples


def in_memory(data: AnyExamples, rows: NDArray[Any]) -> Examples:
    """Return the clips in these rows, in memory."""
    return data.at(rows) if isinstance(data, Examples) else data.read(rows)


def joined(first: AnyExamples, second: AnyExamples) -> AnyExamples:
    """Return the clips of both, in order.

    Raises:
        ShapeError: One is in memory and the other is not.
    """
    if isinstance(first, Examples) and isinstance(second, Examples):
        return first.joined(second)
    if isinstance(first, StoredExamples) and isinstance(second, StoredExamples):
        return first.joined(second)
    raise ShapeError(
        f"{type(first).__name__} and {type(second).__name__} cannot be joined: load both with "
        "`load_examples`"
    )


def sample(data: StoredExamples, *, count: int) -> Examples:
    """Read `count` random clips, always the same, and one of each class that has none there."""
    order = np.random.default_rng(0).permutation(len(data))
    rows, others = order[:count], order[count:]
    members, classes = class_members(data.targets[others])
    absent, first = np.unique(classes, return_index=True)
    missing = np.isin(absent, class_members(data.targets[rows])[1], invert=True)
    more = others[members[first[missing]]]
    return data.read(np.unique(np.concatenate([rows, more])))


def load_examples(extraction: Extraction, task: LabelTask, frames: int) -> AnyExamples:
    """Return the readable clips of an extraction, in their order.

    They are arrays if those fit into `VIDCLASS_MEMORY_MB`; otherwise they stay in the store and
    are read during training.

    Args:
        extraction: Features of the clips.
        task: Label task.
        frames: T.
    """
    rows, clips = extraction.rows, extraction.readable
    labels = extraction.manifest.table["label"].to_list()
    targets = task.targets(labels[row] for row in rows.tolist())
    needed_mb = _COPIES * len(clips) * frames * clips.width * 4 / 2**20
    if needed_mb <= memory_mb():
        features, mask = pad_clips(list(clips), frames)
        return Examples(features, mask, targets)
    where = "kept as they were stored" if clips.kept else "read from the store as training goes"
    note = (
        f"the features of {len(clips)} clips would take {needed_mb:.0f} MB as arrays, more than "
        f"{MEMORY_VARIABLE} allows ({memory_mb()}): they are {where}"
    )
    return StoredExamples(clips, frames, targets, (note,))


def keeps_clips(extraction: Extraction, config: SplitConfig) -> bool:
    """Return whether extraction has changed neither the clips nor their groups."""
    return not extraction.failures and config.groups != "near-duplicates"


def readable_clips(extraction: Extraction, config: SplitConfig) -> Manifest:
    """Return the clips that have features; with `groups="near-duplicates"`, similar ones grouped.

    Raises:
        JobFailedError: No clip has features.
    """
    manifest = extraction.manifest
    clips = Manifest(manifest.table[extraction.rows.tolist()], manifest.notes)
    if config.groups != "near-duplicates":
        return clips
    return join_near_duplicates(clips, extraction.readable)
