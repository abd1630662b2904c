"""Sequence of clip features that reads the store in blocks."""

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
# Number of clips read at a time when iterating.
BLOCK_CLIPS = 256
# Number of clips that estimate the size of the others.
_PROBED_CLIPS = 64


class ClipSource(Protocol):
    """Source of clip features by key."""

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        """Return the features of `keys`, without the keys that it does not have."""
        ...


def memory_mb() -> int:
    """Return the memory limit for features in megabytes: `VIDCLASS_MEMORY_MB`, or 768.

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
    """Features of N clips by index; only keys and the last block are in memory.

    A set that fits into `memory_mb` is read once and kept in memory.
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
        """Return the clips of a source, in memory if they fit."""
        probed = source.read(list(dict.fromkeys(keys))[:_PROBED_CLIPS])
        size = sum(clip.features.nbytes for clip in probed.values()) / max(len(probed), 1)
        if size * len(keys) > memory_mb() << 20:
            return cls(source, keys)
        rest = [key for key in keys if key not in probed]
        return cls(source, keys, kept=probed | (source.read(rest) if rest else {}))

    @property
    def kept(self) -> bool:
        """True if all clips are in memory."""
        return self._kept is not None

    @cached_property
    def width(self) -> int:
        """D, the width of the features."""
        return int(self.read(np.array([0]))[0].features.shape[1])

    def __len__(self) -> int:
        """Return N, the number of clips."""
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> ClipFeatures: ...
    @overload
    def __getitem__(self, index: slice) -> list[ClipFeatures]: ...

    def __getitem__(self, index: int | slice) -> ClipFeatures | list[ClipFeatures]:
        """Return one clip, or a slice of them; neighbours are read together."""
        if isinstance(index, slice):
            return self.read(np.arange(len(self))[index])
        index = range(len(self))[index]
        if self._kept is not None:
            return self.read(np.array([index]))[0]
        number = index // BLOCK_CLIPS
        if self._block[0] != number:
            self._block = (number, self[number * BLOCK_CLIPS : (number + 1) * BLOCK_CLIPS])
        return self._block[1][index % BLOCK_CLIPS]

    def __iter__(self) -> Iterator[ClipFeatures]:
        """Yield all clips, with one block in memory."""
        for start in range(0, len(self), BLOCK_CLIPS):
            yield from self[start : start + BLOCK_CLIPS]

    def read(self, rows: NDArray[Any]) -> list[ClipFeatures]:
        """Return the clips in these rows.

        Raises:
            StoreError: the store cannot be read, or a clip was removed from it.
        """
        keys: list[str] = self._keys[rows].tolist()
        clips = self._source.read(keys) if self._kept is None else self._kept
        try:
            return [clips[key] for key in keys]
        except KeyError as error:
            raise StoreError(
                f"the features of clip {error.args[0]} are not in the store any more: something "
                "removed them. Run the same command again to extract them"
            ) from error

    def at(self, rows: NDArray[Any]) -> StoredClips:
        """Return the clips in these rows, without reading them."""
        return StoredClips(self._source, self._keys[rows].tolist(), kept=self._kept)

    def joined(self, other: StoredClips) -> StoredClips:
        """Return these clips followed by the others.

        Raises:
            StoreError: the others come from another store.
        """
        if other._source is not self._source:
            raise StoreError(
                f"clips of two stores cannot be joined: {self._source!r} and {other._source!r}. "
                "Take both from one extraction"
            )
        keys = [*self._keys.tolist(), *other._keys.tolist()]
        return StoredClips(self._source, keys, kept=self._kept)
