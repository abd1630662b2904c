"""From extracted clips to arrays a head can learn from."""

from __future__ import annotations

from collections.abc import Sequence

from vidclass.config import SplitConfig
from vidclass.data.label_scheme import LabelScheme
from vidclass.data.manifest import Manifest
from vidclass.features.clip import padded
from vidclass.features.extract import Extraction
from vidclass.features.grouping import join_near_duplicates
from vidclass.training.fit import Examples


def readable_manifest(extraction: Extraction) -> Manifest:
    """The clips that have features: only these can be split and scored."""
    manifest = extraction.manifest
    rows, _ = extraction.readable()
    return Manifest(manifest.table[rows.tolist()], manifest.notes)


def grouped_manifest(extraction: Extraction, config: SplitConfig) -> Manifest:
    """The readable clips; with `groups="near-duplicates"`, those that are alike share a group."""
    clips = readable_manifest(extraction)
    if config.groups != "near-duplicates":
        return clips
    return join_near_duplicates(clips, extraction.readable()[1])


def examples(extraction: Extraction, labels: Sequence[str] | LabelScheme, frames: int) -> Examples:
    """All readable clips, in the order of `readable_manifest`.

    Args:
        extraction: Their features.
        labels: The classes, or what labels mean where that is more than one class a clip.
        frames: T.
    """
    scheme = labels if isinstance(labels, LabelScheme) else LabelScheme(tuple(labels))
    rows, clips = extraction.readable()
    features, mask = padded(clips, frames)
    names = extraction.manifest.table["label"]
    return Examples(features, mask, scheme.truth(names[int(row)] for row in rows))
