"""The features of many clips as a sequence that reads from the store, a block at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import ConfigError, StoreError
from vidclass.types import ClipFeatures

MEMORY_VARIABLE = "VIDCLASS_MEMORY_MB"
_DEFAULT_MEMORY_MB = 768
# So many clips are read at a time, by those who go through all of them.
BLOCK_CLIPS = 256
# So many tell how large the others are.
_PROBED_CLIPS = 64


class ClipSource(Protocol):
    """Something that has the features of clips, by key."""

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        """The features of those of `keys` that it has."""
        ...


def memory_mb() -> int:
    """How much memory the features of a set may take: `VIDCLASS_MEMORY_MB`, or 768.

    Raises:
        ConfigError: the variable is not a number from 1.
    """
    text = os.environ.get(MEMORY_VARIABLE, "")
    if not text:
        return _DEFAULT_MEMORY_MB
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(
            f"{MEMORY_VARIABLE}={text!r} must be a whole number of megabytes, at least 1."
        )
    return int(text)


class StoredClips(Sequence[ClipFeatures]):
    """Features of N clips, by their place; in memory are only keys and what was read last.

    Where the whole set fits into `memory_mb`, it is read once and kept.
    """

    def __init__(
        self,
        source: ClipSource,
        keys: Sequence[str],
        *,
        kept: Mapping[str, ClipFeatures] | None = None,
    ) -> None:
        self._source = source
        self._keys = np.array(keys, dtype=object)
        self._kept = kept
        self._block: tuple[int, list[ClipFeatures]] = (-1, [])

    @classmethod
    def from_source(cls, source: ClipSource, keys: Sequence[str]) -> StoredClips:
        """Clips of a source, kept in memory if they fit."""
        probed = source.read(list(dict.fromkeys(keys))[:_PROBED_CLIPS])
        size = sum(clip.features.nbytes for clip in probed.values()) / max(len(probed), 1)
        if size * len(keys) > memory_mb() << 20:
            return cls(source, keys)
        rest = [key for key in keys if key not in probed]
        return cls(source, keys, kept=probed | (source.read(rest) if rest else {}))

    @property
    def kept(self) -> bool:
        """Whether all of them are in memory."""
        return self._kept is not None

    @cached_property
    def width(self) -> int:
        """D, that of the first clip."""
        return int(self.read(np.array([0]))[0].features.shape[1])

    def __len__(self) -> int:
        """N."""
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> ClipFeatures: ...
    @overload
    def __getitem__(self, place: slice) -> list[ClipFeatures]: ...

    def __getitem__(self, place: int | slice) -> ClipFeatures | list[ClipFeatures]:
        """One clip, or several; neighbours are read together."""
        if isinstance(place, slice):
            return self.read(np.arange(len(self))[place])
        place = range(len(self))[place]
        if self._kept is not None:
            return self.read(np.array([place]))[0]
        number = place // BLOCK_CLIPS
        if self._block[0] != number:
            self._block = (number, self[number * BLOCK_CLIPS : (number + 1) * BLOCK_CLIPS])
        return self._block[1][place % BLOCK_CLIPS]

    def __iter__(self) -> Iterator[ClipFeatures]:
        """All of them in turn, a block in memory."""
        for start in range(0, len(self), BLOCK_CLIPS):
            yield from self[start : start + BLOCK_CLIPS]

    def read(self, rows: NDArray[Any]) -> list[ClipFeatures]:
        """The clips in these rows.

        Raises:
            StoreError: the store cannot be read, or has lost a clip since.
        """
        keys: list[str] = self._keys[rows].tolist()
        found = self._source.read(keys) if self._kept is None else self._kept
        try:
            return [found[key] for key in keys]
        except KeyError as error:
            raise StoreError(
                f"the features of clip {error.args[0]} are not in the store any more: something "
                "removed them. Run the same command again to make them anew"
            ) from error

    def at(self, rows: NDArray[Any]) -> StoredClips:
        """The clips in these rows, unread."""
        return StoredClips(self._source, self._keys[rows].tolist(), kept=self._kept)

    def joined(self, other: StoredClips) -> StoredClips:
        """These clips and the others.

        Raises:
            StoreError: they are of another store.
        """
        if other._source is not self._source:
            raise StoreError(
                f"clips of two stores cannot be joined: {self._source!r} and {other._source!r}. "
                "Take both from one extraction"
            )
        keys = [*self._keys.tolist(), *other._keys.tolist()]
        return StoredClips(self._source, keys, kept=self._kept)
