"""Features for an audit: extracted, or read if all of them are stored already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vidclass._core.execution import ExecutionOptions
from vidclass.config import FeatureConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import VidclassError
from vidclass.features.extract import extract_features, feature_store
from vidclass.features.extractor import feature_extractor
from vidclass.types import ClipFeatures, Failure


@dataclass(frozen=True)
class CollectedFeatures:
    """Features of the clips of a manifest.

    Attributes:
        clips: Features of each clip, None if it cannot be read; None if there are no features.
        failures: By row, the clips that could not be read for extraction.
        note: What is missing, as a sentence; may be empty.
    """

    clips: list[ClipFeatures | None] | None
    failures: dict[int, Failure] = field(default_factory=dict)
    note: str = ""


_NOT_STORED = CollectedFeatures(
    None,
    note="near duplicates and wrong labels were not searched for: that needs features, which "
    "`features=True` extracts.",
)


def extract_clip_features(
    manifest: Manifest,
    keys: Sequence[str | None],
    config: FeatureConfig,
    execution: ExecutionOptions,
) -> CollectedFeatures:
    """Extract the features of every clip with a key into the store, and return them.

    Raises:
        StoreError: The store cannot be read or written.
        WeightsError: The backbone's weights are missing.
    """
    readable = [row for row, key in enumerate(keys) if key is not None]
    if not readable:
        return CollectedFeatures(None)
    part = Manifest(manifest.table[readable])
    extractor = feature_extractor(config, part, progress=execution.progress)
    extraction = extract_features(part, extractor, execution)
    clips: list[ClipFeatures | None] = [None] * len(keys)
    for row, clip in zip(readable, extraction.clips, strict=True):
        clips[row] = clip
    failed = [row for row, key in zip(readable, extraction.keys, strict=True) if key is None]
    return CollectedFeatures(clips, dict(zip(failed, extraction.failures, strict=True)))


def read_clip_features(
    manifest: Manifest,
    keys: Sequence[str | None],
    config: FeatureConfig,
    execution: ExecutionOptions,
) -> CollectedFeatures:
    """Read the features of every clip with a key if all are stored; open no network."""
    readable = [key for key in keys if key is not None]
    if not readable:
        return CollectedFeatures(None)
    try:
        extractor = feature_extractor(config, manifest)
        store = feature_store(extractor, execution.store_folder)
        if store.missing(readable):
            return _NOT_STORED
        features = store.read(readable)
    except VidclassError:
        # An audit without features is still useful, so a damaged store does not end it.
        return _NOT_STORED
    return CollectedFeatures([None if key is None else features[key] for key in keys])
