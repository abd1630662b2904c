"""Features of every clip of a manifest: what the store has is read, the rest is made."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import counted
from vidclass.data.manifest import Clip, Manifest
from vidclass.errors import JobFailedError, StoppedError, VidclassError, VideoError
from vidclass.features.decoding import decode_for
from vidclass.features.extractor import FeatureExtractor
from vidclass.features.failure_counts import Lost, lost_clips
from vidclass.features.failures import FailureRecord, is_lasting
from vidclass.features.identity import VideoIdentity, identify_clips
from vidclass.features.pipeline import stream_features
from vidclass.features.store.store import FeatureStore, default_store_folder
from vidclass.features.store.stored_clips import ClipSource, StoredClips
from vidclass.types import ClipFeatures, Failure, FrameBatch, Progress, no_progress

# A killed run loses no more than this many clips, or seconds of work.
APPEND_CLIPS = 64
APPEND_SECONDS = 2.0


@dataclass(frozen=True)
class Extraction:
    """What came of the clips of a manifest.

    Attributes:
        manifest: The clips that were asked for.
        keys: The store's key of each, in the manifest's order; None for a clip that failed.
        store: Where their features lie.
        failures: The ledger.
        reused: How many clips the store had already.
        notes: What the user should know, as sentences.
    """

    manifest: Manifest
    keys: list[str | None]
    store: ClipSource
    failures: list[Failure]
    reused: int
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> int:
        """How many clips have features."""
        return sum(key is not None for key in self.keys)

    def lost(self, *, split: str | None = None) -> Lost:
        """The clips that failed: all of them, or those of a given split."""
        return lost_clips(self.manifest, [key is None for key in self.keys], split=split)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows of the manifest that have features.

        Raises:
            JobFailedError: none has.
        """
        found = [row for row, key in enumerate(self.keys) if key is not None]
        if not found:
            first = self.failures[0].message if self.failures else "there are no clips"
            raise JobFailedError(
                f"none of the {len(self.keys)} clips could be read. The first one: {first}",
                failures=self.failures,
            )
        return np.array(found, np.int64)

    @cached_property
    def clips(self) -> list[ClipFeatures | None]:
        """The features, in the manifest's order; None for a clip that failed.

        All of them are in memory, from when this is first asked for.
        """
        stored = self.store.read([key for key in self.keys if key is not None])
        return [None if key is None else stored[key] for key in self.keys]

    def readable(self) -> tuple[NDArray[np.int64], StoredClips]:
        """The rows of the manifest that have features, and those features, read as needed.

        Raises:
            JobFailedError: none has.
        """
        return self.rows, self._stored

    @cached_property
    def _stored(self) -> StoredClips:
        return StoredClips.of(self.store, [key for key in self.keys if key is not None])


def extract(
    manifest: Manifest,
    extractor: FeatureExtractor,
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> Extraction:
    """Features of every clip, through the store.

    A clip that failed before, its bytes being at fault, fails again at once.

    Args:
        manifest: The clips.
        extractor: What makes their features.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of the stages `hash` and `extract`.
        strict: Raise the first failure in place of listing it.
        retry_failed: Try clips again that failed before.

    Raises:
        StoppedError: a video cannot be read, and `strict` is set.
        StoreError: the store cannot be read or written.
        WeightsError: the backbone's weights are not at hand.
    """
    rows = manifest.clips()
    ledger = _Ledger(strict)
    videos, keys = identify_clips(rows, ledger.add, progress)
    folder = store_folder or default_store_folder()
    store = FeatureStore(
        folder,
        settings=extractor.fingerprint,
        width=extractor.width,
        description=json.dumps(extractor.config.model_dump(mode="json"), indent=1),
    )
    known = [key for key in keys if key is not None]
    missing = store.missing(known)
    ledger.copies = Counter(known)
    ledger.ok = sum(key not in missing for key in known)
    record = FailureRecord(folder, extractor.fingerprint)
    todo, notes = _not_failed_before(
        _first_of_each(rows, keys, missing), record, ledger, retry=retry_failed
    )
    if todo:
        notes += _fill(store, todo, videos, extractor, ledger, record, progress)
    lost = store.missing(known)
    failures = [
        ledger.row(row, key)
        for row, key in zip(rows, keys, strict=True)
        if key is None or key in lost
    ]
    reused = sum(key not in missing for key in known)
    keys = [None if key in lost else key for key in keys]
    return Extraction(manifest, keys, store, failures, reused, notes)


class _Ledger:
    """Errors by clip key, or by path for a video that could not even be hashed."""

    def __init__(self, strict: bool) -> None:
        self.copies: Counter[str] = Counter()
        self.ok = 0
        self._errors: dict[str, VidclassError] = {}
        self._strict = strict

    def add(self, name: str, error: VidclassError) -> None:
        if self._strict:
            if isinstance(error, VideoError):
                raise StoppedError.at(error, ok=self.ok) from error
            raise error
        self._errors[name] = error

    def done(self, key: str) -> None:
        self.ok += self.copies[key]

    def row(self, clip: Clip, key: str | None) -> Failure:
        error = self._errors[key or str(clip.video)]
        if isinstance(error, VideoError) and error.path != str(clip.video):
            # It was met in a copy, or under another name.
            error = _renamed(error, clip)
        return Failure.from_error(error, video=clip.video, span=clip.span)


def _renamed(error: VideoError, clip: Clip) -> VideoError:
    return VideoError(clip.video, error.cause, hint=error.hint, stage=error.stage)


def _first_of_each(
    rows: Sequence[Clip], keys: Sequence[str | None], missing: set[str]
) -> list[tuple[str, Clip]]:
    first: dict[str, Clip] = {}
    for row, key in zip(rows, keys, strict=True):
        if key is not None and key in missing:
            first.setdefault(key, row)
    return list(first.items())


def _not_failed_before(
    todo: list[tuple[str, Clip]], record: FailureRecord, ledger: _Ledger, *, retry: bool
) -> tuple[list[tuple[str, Clip]], tuple[str, ...]]:
    """What is left to try; what failed before goes to the ledger, and a note says so."""
    if retry:
        record.forget([key for key, _ in todo])
        return todo, ()
    before = record.find({key for key, _ in todo})
    for key, clip in todo:
        if key in before:
            ledger.add(key, _renamed(before[key], clip))
    count = sum(ledger.copies[key] for key in before)
    note = f"{counted(count, 'clip')} failed before and {'was' if count == 1 else 'were'} not tried"
    notes = (f"{note} again; --retry-failed tries {'it' if count == 1 else 'them'}",)
    return [item for item in todo if item[0] not in before], notes if before else ()


def _fill(
    store: FeatureStore,
    todo: Sequence[tuple[str, Clip]],
    videos: Mapping[Path, VideoIdentity],
    extractor: FeatureExtractor,
    ledger: _Ledger,
    record: FailureRecord,
    progress: Progress,
) -> tuple[str, ...]:
    """Make the features of `todo`; whatever ends it, finished clips are stored."""
    # A store that cannot be written is better known before the work than after it.
    store.begin()
    opened = extractor.open()

    def decode(item: tuple[str, Clip]) -> FrameBatch:
        key, clip = item
        frames = decode_for(extractor.config, clip.video, clip.span, fps=clip.fps, key=key)
        videos[clip.video].require_unchanged()
        return frames

    unsaved: dict[str, tuple[str, ClipFeatures]] = {}
    saved_at = time.monotonic()
    making = stream_features(
        todo, decode, opened.network, video_of=lambda item: item[1].video, window=extractor.window
    )
    with closing(making) as results:
        try:
            for count, done in enumerate(results, 1):
                key, clip = done.item
                if done.result is not None:
                    unsaved[key] = (str(clip.video), done.result.features)
                    ledger.done(key)
                elif done.error is not None:
                    _remember(record, key, done.error, videos[clip.video])
                    ledger.add(key, done.error)
                if len(unsaved) >= APPEND_CLIPS or time.monotonic() - saved_at >= APPEND_SECONDS:
                    store.append(unsaved)
                    unsaved, saved_at = {}, time.monotonic()
                progress("extract", count, len(todo))
        finally:
            store.append(unsaved)
    store.compact()
    return (opened.note,) if opened.note else ()


def _remember(
    record: FailureRecord, key: str, error: VidclassError, identity: VideoIdentity
) -> None:
    if isinstance(error, VideoError) and is_lasting(error, identity):
        record.add(key, error)
