"""Features for an audit: made, or taken where they are stored anyway."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidclass.config import FeatureConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import VidclassError
from vidclass.features.extract import extract
from vidclass.features.extractor import feature_extractor
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures, Failure, Progress


@dataclass(frozen=True)
class Gathered:
    """What there is of features.

    Attributes:
        clips: Those of each clip of the manifest, None for what cannot be read; None altogether
            where they are not at hand.
        failures: By row, the clips that proved unreadable on the way.
        note: What could not be had, as a sentence; may be empty.
    """

    clips: list[ClipFeatures | None] | None
    failures: dict[int, Failure] = field(default_factory=dict)
    note: str = ""


_NOT_AT_HAND = Gathered(
    None,
    note="near duplicates and labels that may be wrong were not looked for: that needs features, "
    "which --features makes.",
)


def made_features(
    manifest: Manifest,
    keys: Sequence[str | None],
    config: FeatureConfig,
    store: Path,
    progress: Progress,
) -> Gathered:
    """Features of every clip with a key, through the store.

    Raises:
        StoreError: the store cannot be read or written.
        WeightsError: the backbone's weights are not at hand.
    """
    readable = [row for row, key in enumerate(keys) if key is not None]
    if not readable:
        return Gathered(None)
    part = Manifest(manifest.table[readable])
    extractor = feature_extractor(config, part, progress=progress)
    made = extract(part, extractor, store_folder=store, progress=progress)
    clips: list[ClipFeatures | None] = [None] * len(keys)
    for row, clip in zip(readable, made.clips, strict=True):
        clips[row] = clip
    lost = [row for row, key in zip(readable, made.keys, strict=True) if key is None]
    return Gathered(clips, dict(zip(lost, made.failures, strict=True)))


def stored_features(
    manifest: Manifest, keys: Sequence[str | None], config: FeatureConfig, store: Path
) -> Gathered:
    """Features if those of every clip with a key are stored; no network is opened."""
    known = [key for key in keys if key is not None]
    if not known:
        return Gathered(None)
    try:
        extractor = feature_extractor(config, manifest)
        description = json.dumps(extractor.config.model_dump(mode="json"), indent=1)
        stored = FeatureStore(
            store, settings=extractor.fingerprint, width=extractor.width, description=description
        )
        if stored.missing(known):
            return _NOT_AT_HAND
        found = stored.read(known)
    except VidclassError:
        # A store that cannot be read is no reason not to look at the clips.
        return _NOT_AT_HAND
    return Gathered([None if key is None else found[key] for key in keys])
