"""Copies and near duplicates: clips of one recording, which must stay on one side of a split.

Copies have the same bytes.  Near duplicates have similar features: the features of a clip are
averaged over each quarter of its frames, the four means are concatenated, and the similarity of two
clips is the cosine of these vectors.  It depends on these two clips alone, not on the rest of the
set.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vidclass._core.text import counted, listed, quoted
from vidclass.config import SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ShapeError, VideoError
from vidclass.features.identity import identify
from vidclass.features.pair_search import BLOCK_ROWS, Pairs, every_pair, searched_pairs, unit_rows
from vidclass.types import ClipFeatures
from vidclass.video.probe import probe

# Measured with the default backbone, see docs/how-to/splits.md: the least similar copy of a clip
# (encoded anew, made smaller, mirrored, cut shorter by a quarter) is above it, and the most
# similar clips of different recordings are below it.
THRESHOLD = 0.85
# Parts of a clip that are compared, each with the same part of the other clip.
QUARTERS = 4
# Up to so many clips all pairs are compared in memory; more go through Lance's vector search.
# On two cores both take about six seconds for this many; 50,000 take 260 and 110.
EXACT_CLIPS = 10_000


@dataclass(frozen=True)
class NearDuplicate:
    """A pair of similar clips.

    Attributes:
        first: Index of a clip.
        second: Index of the other clip, larger than `first`.
        similarity: Cosine similarity of the two.
    """

    first: int
    second: int
    similarity: float


def assign_groups(manifest: Manifest, config: SplitConfig) -> Manifest:
    """Return the manifest with the groups of `config`, and copies of a video in one group.

    Copies are not searched for if leaks are allowed.

    Raises:
        ConfigError: `groups` or `group_pattern` is not allowed.
        ManifestError: no clip gets a group from the pattern or the folders.
    """
    grouped = manifest.regrouped(groups=config.groups, group_pattern=config.group_pattern)
    return grouped if config.allow_leak else join_copies(grouped)


def join_copies(manifest: Manifest) -> Manifest:
    """Put videos with the same bytes into one group, and name them in a note.

    Only files of the same size are hashed.  Unreadable files are no copies: the same error page
    saved under many names is no video, and no leak.
    """
    contents = _shared_videos(_hash_candidates(list(dict.fromkeys(manifest.table["video"]))))
    key = pl.Series([contents.get(video) for video in manifest.table["video"]], dtype=pl.String)
    merged, clips = manifest.with_merged_groups(
        key, name=lambda video: f"copies of {_short_name(video)}"
    )
    if not clips:
        return manifest
    same = pl.DataFrame({"video": list(contents), "key": list(contents.values())})
    copies = same.sort("video").group_by("key", maintain_order=True).agg(pl.col("video"))
    sets = [
        " = ".join(quoted(map(_short_name, videos)))
        for videos in copies["video"]
        if len(videos) > 1
    ]
    note = f"the same content under several names stays on one side: {listed(sets)}."
    return merged.with_notes(note)


def join_near_duplicates(
    manifest: Manifest, clips: Sequence[ClipFeatures | None], *, threshold: float = THRESHOLD
) -> Manifest:
    """Put near duplicates, with all of their groups, into one group.

    Args:
        manifest: The clips.
        clips: Their features, in the manifest's order; None for a clip without features.
        threshold: Least similarity; see `near_duplicates`.
    """
    before = manifest.group_ids.n_unique()
    group_ids = pl.Series(duplicate_groups(clips, threshold=threshold))
    merged, joined = manifest.with_merged_groups(
        group_ids, name=lambda video: f"like {_short_name(video)}"
    )
    after = merged.group_ids.n_unique()
    if after == before:
        return manifest.with_notes("no near duplicates were found outside the known groups.")
    note = (
        f"near duplicates joined {counted(joined, 'clip')}: {before} videos and groups to keep "
        f"apart became {after}."
    )
    return merged.with_notes(note)


def near_duplicates(
    clips: Sequence[ClipFeatures | None], *, threshold: float = THRESHOLD
) -> list[NearDuplicate]:
    """Return pairs of near duplicates, the most similar first.

    Time and memory beside the clips are bounded: up to `EXACT_CLIPS` clips, all pairs are compared
    in blocks; for more, the vectors are in a temporary Lance table with an index, whose search
    misses a few pairs in a thousand.  The list itself grows with the number of pairs;
    `duplicate_groups` does not keep them.

    Args:
        clips: Features of one setting; None, for an unreadable clip, is similar to no other.
        threshold: Least similarity, inside (0, 1).

    Raises:
        ConfigError: the threshold is out of range.
        ShapeError: the features have different widths.
        StoreError: the temporary folder cannot be written.
    """
    similarities = {
        (int(first), int(second)): min(round(float(similarity), 6), 1.0)
        for pairs in _similar_pairs(clips, threshold)
        for first, second, similarity in zip(*pairs, strict=True)
    }
    pairs = [NearDuplicate(*pair, similarity) for pair, similarity in similarities.items()]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def duplicate_groups(
    clips: Sequence[ClipFeatures | None], *, threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """Return a group number (n,) for each clip, shared by a chain of near duplicates.

    Groups are numbered in the order of the clips.  Arguments and errors are those of
    `near_duplicates`.
    """
    groups = np.arange(len(clips))
    for first, second, _ in _similar_pairs(clips, threshold):
        if len(first):
            groups = _merged(groups, groups[first], groups[second])
    return groups


def _merged(
    groups: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return new group numbers after merging each group in `first` with that in `second`."""
    links = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(len(groups),) * 2)
    _, components = connected_components(links, directed=False)
    _, first_index, numbers = np.unique(components[groups], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_index))
    return np.asarray(rank[numbers], np.int64)


def clip_vector(clip: ClipFeatures) -> NDArray[np.float16]:
    """Return the clip as one vector (4·D,) of about length 1: the means of its four quarters.

    A clip of fewer than four frames repeats them.  All-zero features give zeros.
    """
    features = clip.features.astype(np.float32)
    # A frame on the border of two quarters contributes to each in proportion.
    borders = np.linspace(0, len(features), QUARTERS + 1)
    edges = np.arange(len(features))
    shares = np.minimum(edges + 1, borders[1:, None]) - np.maximum(edges, borders[:-1, None])
    means = np.clip(shares, 0, None) @ features
    return np.asarray(unit_rows(means.reshape(1, -1))[0], np.float16)  # half the memory


def _similar_pairs(clips: Sequence[ClipFeatures | None], threshold: float) -> Iterator[Pairs]:
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold={threshold} must be between 0 and 1.")
    # A clip without frames is similar to no other.
    rows = np.array([row for row, clip in enumerate(clips) if clip and len(clip.features)], int)
    if len(rows) < 2:
        return
    widths = sorted({clip.features.shape[1] for clip in clips if clip is not None})
    if len(widths) > 1:
        raise ShapeError(f"features of different widths cannot be compared: {widths}")
    blocks = _vector_blocks(clips, rows)
    if len(rows) <= EXACT_CLIPS:
        pairs_by_block = every_pair(np.concatenate(list(blocks)), threshold)
    else:
        pairs_by_block = searched_pairs(blocks, widths[0] * QUARTERS, threshold)
    for first, second, similarity in pairs_by_block:
        yield Pairs(rows[first], rows[second], similarity)


def _vector_blocks(
    clips: Sequence[ClipFeatures | None], rows: NDArray[np.int64]
) -> Iterator[NDArray[np.float16]]:
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        yield np.stack([clip_vector(clip) for row in block if (clip := clips[row]) is not None])


def _hash_candidates(videos: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of each readable video that has the size of another one."""
    by_size: dict[int, list[str]] = {}
    for video in videos:
        with suppress(OSError):
            status = Path(video).stat()
            if stat.S_ISREG(status.st_mode) and status.st_size:
                by_size.setdefault(status.st_size, []).append(video)
    candidates = {
        Path(video): video for same in by_size.values() if len(same) > 1 for video in same
    }
    return {
        candidates[done.item]: done.result.sha256 for done in identify(candidates) if done.result
    }


def _shared_videos(contents: dict[str, str]) -> dict[str, str]:
    """Return the entries whose content several files share, and which are videos."""
    by_content: dict[str, list[str]] = {}
    for video, key in contents.items():
        by_content.setdefault(key, []).append(video)
    return {
        video: key
        for key, same in by_content.items()
        if len(same) > 1 and _is_video(same[0])
        for video in same
    }


def _is_video(video: str) -> bool:
    try:
        probe(Path(video))
    except VideoError:
        return False
    return True


def _short_name(video: str) -> str:
    """Return a video's name with its folder."""
    return str(PurePath(*PurePath(video).parts[-2:]))
