"""From extracted clips to what a head can learn from."""

from __future__ import annotations

from vidclass.config import SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.features.decoding import pad_clips
from vidclass.features.extract import Extraction
from vidclass.features.near_duplicates import join_near_duplicates
from vidclass.features.store.stored_clips import MEMORY_VARIABLE, memory_mb
from vidclass.tasks.base import LabelTask
from vidclass.training.data import AnyExamples, Examples, StoredExamples

# The arrays of all clips, of each part, and of the parts that a refit joins.
_COPIES = 3


def readable_manifest(extraction: Extraction) -> Manifest:
    """The clips that have features: only these can be split and scored."""
    manifest = extraction.manifest
    return Manifest(manifest.table[extraction.rows.tolist()], manifest.notes)


def grouped_manifest(extraction: Extraction, config: SplitConfig) -> Manifest:
    """The readable clips; with `groups="near-duplicates"`, those that are alike share a group."""
    clips = readable_manifest(extraction)
    if config.groups != "near-duplicates":
        return clips
    return join_near_duplicates(clips, extraction.readable)


def examples(extraction: Extraction, task: LabelTask, frames: int) -> AnyExamples:
    """All readable clips, in the order of `readable_manifest`.

    They are arrays where those fit into `VIDCLASS_MEMORY_MB`; otherwise they stay in the store,
    and are read as training goes.

    Args:
        extraction: Their features.
        task: Label task.
        frames: T.
    """
    rows, clips = extraction.rows, extraction.readable
    names = extraction.manifest.table["label"].to_list()
    targets = task.targets(names[row] for row in rows.tolist())
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
