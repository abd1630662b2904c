"""Features of every clip of a manifest: what the store has is read, the rest is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.data.manifest import Clip, Manifest
from vidclass.engine.local import Done, run_each
from vidclass.errors import JobFailedError, VidclassError
from vidclass.features.clip import decode_for, features_of
from vidclass.features.keys import VideoIdentity, clip_key, identify
from vidclass.features.networks import FeatureMaker
from vidclass.features.store import FeatureStore, default_store_folder
from vidclass.types import ClipFeatures, Failure, FrameBatch, Progress, no_progress

# Clips that are appended to the store at a time: what a killed run loses at most.
APPEND_CLIPS = 16


@dataclass(frozen=True)
class Extraction:
    """What came of the clips of a manifest.

    Attributes:
        manifest: The clips that were asked for.
        clips: Their features, in the manifest's order; None for a clip that failed.
        failures: The ledger.
        reused: How many clips the store had already.
        notes: What the user should know, as sentences.
    """

    manifest: Manifest
    clips: list[ClipFeatures | None]
    failures: list[Failure]
    reused: int
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> int:
        """How many clips have features."""
        return sum(clip is not None for clip in self.clips)

    def readable(self) -> tuple[NDArray[np.int64], list[ClipFeatures]]:
        """The rows of the manifest that have features, and those features.

        Raises:
            JobFailedError: none has.
        """
        found = [(row, clip) for row, clip in enumerate(self.clips) if clip is not None]
        if not found:
            first = self.failures[0].message if self.failures else "there are no clips"
            raise JobFailedError(
                f"none of the {len(self.clips)} clips could be read. The first one: {first}"
            )
        return np.array([row for row, _ in found], np.int64), [clip for _, clip in found]


def extract(
    manifest: Manifest,
    maker: FeatureMaker,
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
) -> Extraction:
    """Features of every clip, through the store.

    Args:
        manifest: The clips.
        maker: What makes their features.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of the stages `hash` and `extract`.
        strict: Raise the first failure in place of listing it.

    Raises:
        VideoError: a video cannot be read, and `strict` is set.
        StoreError: the store cannot be read or written.
        WeightsError: the backbone's weights are not at hand.
    """
    rows = manifest.clips()
    ledger = _Ledger(strict)
    videos = _identities(rows, ledger, progress)
    keys = [
        clip_key(videos[row.video].sha256, row.span) if row.video in videos else None
        for row in rows
    ]
    store = FeatureStore(
        store_folder or default_store_folder(),
        settings=maker.fingerprint,
        width=maker.width,
        description=json.dumps(maker.config.model_dump(mode="json"), indent=1),
    )
    known = [key for key in keys if key is not None]
    todo = _first_of_each(rows, keys, store.missing(known))
    notes: tuple[str, ...] = ()
    if todo:
        notes = _fill(store, todo, maker, ledger, progress)
    stored = store.read(known)
    clips = [None if key is None else stored.get(key) for key in keys]
    failures = [
        Failure.of(row.video, ledger.errors[key or str(row.video)])
        for row, key, clip in zip(rows, keys, clips, strict=True)
        if clip is None
    ]
    made = {key for key, _ in todo}
    reused = sum(
        key not in made and clip is not None for key, clip in zip(keys, clips, strict=True)
    )
    return Extraction(manifest, clips, failures, reused, notes)


class _Ledger:
    """Errors by clip key, or by path for a video that could not even be hashed."""

    def __init__(self, strict: bool) -> None:
        self.errors: dict[str, VidclassError] = {}
        self._strict = strict

    def add(self, name: str, error: VidclassError) -> None:
        if self._strict:
            raise error
        self.errors[name] = error


def _identities(
    rows: Sequence[Clip], ledger: _Ledger, progress: Progress
) -> dict[Path, VideoIdentity]:
    """The content of each video that can be read at all."""
    found: dict[Path, VideoIdentity] = {}
    videos = list(dict.fromkeys(row.video for row in rows))
    with closing(identify(videos)) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                ledger.add(str(done.item), done.error)
            elif done.result is not None:
                found[done.item] = done.result
            progress("hash", count, len(videos))
    return found


def _first_of_each(
    rows: Sequence[Clip], keys: Sequence[str | None], missing: set[str]
) -> list[tuple[str, Clip]]:
    first: dict[str, Clip] = {}
    for row, key in zip(rows, keys, strict=True):
        if key is not None and key in missing:
            first.setdefault(key, row)
    return list(first.items())


def _fill(
    store: FeatureStore,
    todo: Sequence[tuple[str, Clip]],
    maker: FeatureMaker,
    ledger: _Ledger,
    progress: Progress,
) -> tuple[str, ...]:
    """Make the features of `todo`; whatever ends it, finished clips are stored."""
    opened = maker.open()

    def decode(item: tuple[str, Clip]) -> FrameBatch:
        return decode_for(maker.config, item[1].video, item[1].span)

    buffer: dict[str, tuple[str, ClipFeatures]] = {}
    with closing(run_each(decode, todo)) as results:
        try:
            for count, (key, clip, batch) in enumerate(_readable(results, ledger), 1):
                if batch is not None:
                    buffer[key] = (str(clip.video), features_of(opened.network, batch))
                if len(buffer) >= APPEND_CLIPS:
                    store.append(buffer)
                    buffer = {}
                progress("extract", count, len(todo))
        finally:
            store.append(buffer)
    store.compact()
    if opened.route == "keras":
        return (f"{maker.config.backbone} runs in Keras, several times slower: {opened.reason}",)
    return ()


def _readable(
    results: Iterator[Done[tuple[str, Clip], FrameBatch]], ledger: _Ledger
) -> Iterator[tuple[str, Clip, FrameBatch | None]]:
    for done in results:
        key, clip = done.item
        if done.error is not None:
            ledger.add(key, done.error)
        yield key, clip, done.result
