"""Near duplicates: clips of one recording, or copies of one clip, by their features.

A clip is compared as a whole and in time: its features are averaged over each quarter of its
frames, the four means are put one behind the other, and the similarity of two clips is the cosine
of those vectors.  It depends on these two clips alone, not on what else is in the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vidclass.errors import ConfigError, ShapeError
from vidclass.features.pair_search import BLOCK_ROWS, Pairs, every_pair, searched_pairs, unit_rows
from vidclass.types import ClipFeatures

# Measured with the default backbone, see docs/how-to/splits.md: the least similar copy of a clip
# (encoded anew, made smaller, mirrored, cut shorter by a quarter) is above it, and the most
# similar clips of different recordings are below it.
NEAR = 0.85
# Parts of a clip that are compared, each with the same part of the other clip.
QUARTERS = 4
# Up to so many clips all pairs are compared in memory; more go through Lance's vector search.
# On two cores both take about six seconds for this many; 50,000 take 260 and 110.
EXACT_CLIPS = 10_000


@dataclass(frozen=True)
class NearDuplicate:
    """Two clips, by their place in the set, first < second, and their cosine similarity."""

    first: int
    second: int
    similarity: float


def near_duplicates(
    clips: Sequence[ClipFeatures | None], *, threshold: float = NEAR
) -> list[NearDuplicate]:
    """Pairs of clips that are nearly the same, the strongest first.

    Time and memory beside the clips are bounded: up to `EXACT_CLIPS` clips all pairs are compared
    in blocks, beyond that the vectors lie in a temporary Lance table with an index, whose search
    misses a few pairs in a thousand.  The list itself grows with the number of pairs;
    `duplicate_groups` does not keep them.

    Args:
        clips: Features of one setting; None, for a clip that could not be read, is like no other.
        threshold: The least similarity, inside (0, 1).

    Raises:
        ConfigError: the threshold is out of range.
        ShapeError: the features are not all of one width.
        StoreError: the temporary folder cannot be written.
    """
    found = {
        (int(first), int(second)): min(round(float(similarity), 6), 1.0)
        for pairs in _near_pairs(clips, threshold)
        for first, second, similarity in zip(*pairs, strict=True)
    }
    listed = [NearDuplicate(*pair, similarity) for pair, similarity in found.items()]
    return sorted(listed, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def duplicate_groups(
    clips: Sequence[ClipFeatures | None], *, threshold: float = NEAR
) -> NDArray[np.int64]:
    """A number for each clip, (n,): the same for clips that a chain of near duplicates joins.

    Numbers are given in the order of the clips.  Arguments and errors are those of
    `near_duplicates`.
    """
    group = np.arange(len(clips))
    for first, second, _ in _near_pairs(clips, threshold):
        if len(first):
            group = _joined(group, group[first], group[second])
    return group


def _joined(
    group: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The groups after those in `first` are joined with those in `second`, numbered anew."""
    links = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(len(group),) * 2)
    _, joined = connected_components(links, directed=False)
    _, place, numbers = np.unique(joined[group], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(place))
    return np.asarray(rank[numbers], np.int64)


def clip_vector(clip: ClipFeatures) -> NDArray[np.float16]:
    """The clip as one vector (4·D,), of about length 1: the means of its quarters, in their order.

    A clip of fewer than four frames repeats them.  All-zero features give zeros.
    """
    features = clip.features.astype(np.float32)
    # Where a border of two quarters falls inside a frame, each has its share of it.
    borders = np.linspace(0, len(features), QUARTERS + 1)
    edges = np.arange(len(features))
    shares = np.minimum(edges + 1, borders[1:, None]) - np.maximum(edges, borders[:-1, None])
    means = np.clip(shares, 0, None) @ features
    return np.asarray(unit_rows(means.reshape(1, -1))[0], np.float16)  # half the memory


def _near_pairs(clips: Sequence[ClipFeatures | None], threshold: float) -> Iterator[Pairs]:
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold={threshold} must be between 0 and 1.")
    # A clip without frames is like no other.
    there = np.array([row for row, clip in enumerate(clips) if clip and len(clip.features)], int)
    if len(there) < 2:
        return
    widths = sorted({clip.features.shape[1] for clip in clips if clip is not None})
    if len(widths) > 1:
        raise ShapeError(f"features of different widths cannot be compared: {widths}")
    blocks = _blocks(clips, there)
    if len(there) <= EXACT_CLIPS:
        found = every_pair(np.concatenate(list(blocks)), threshold)
    else:
        found = searched_pairs(blocks, widths[0] * QUARTERS, threshold)
    for first, second, similarity in found:
        yield Pairs(there[first], there[second], similarity)


def _blocks(
    clips: Sequence[ClipFeatures | None], there: NDArray[np.int64]
) -> Iterator[NDArray[np.float16]]:
    for start in range(0, len(there), BLOCK_ROWS):
        rows = there[start : start + BLOCK_ROWS]
        yield np.stack([clip_vector(clip) for row in rows if (clip := clips[row]) is not None])
