"""Extract features of every clip of a manifest, reading those that the store already has."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass._core.text import counted
from vidclass.data.clip import Clip
from vidclass.data.manifest import Manifest
from vidclass.errors import JobFailedError, StoppedError, VidclassError, VideoError
from vidclass.features.decoding import decode_for
from vidclass.features.extractor import FeatureExtractor
from vidclass.features.failures import FailureCounts, FailureRecord, count_failures, is_lasting
from vidclass.features.identity import VideoIdentity, identify_clips
from vidclass.features.pipeline import stream_features
from vidclass.features.store.store import FeatureStore, default_store_folder
from vidclass.features.store.stored_clips import ClipSource, StoredClips
from vidclass.types import ClipFeatures, Failure, FrameBatch, Progress, no_progress, part_of

# A killed run loses at most this many clips, or seconds of work.
APPEND_CLIPS = 64
APPEND_SECONDS = 2.0


@dataclass(frozen=True)
class Extraction:
    """Features of the clips of a manifest, and the clips that failed.

    Attributes:
        manifest: The requested clips.
        keys: Store key of each clip, in the manifest's order; None for a clip that failed.
        store: Where the features are stored.
        failures: Ledger rows of the clips that failed.
        reused: Number of clips that the store already had.
        notes: Sentences for the user.
    """

    manifest: Manifest
    keys: list[str | None]
    store: ClipSource
    failures: list[Failure]
    reused: int
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> int:
        """Number of clips with features."""
        return sum(key is not None for key in self.keys)

    def failure_counts(self, *, split: str | None = None) -> FailureCounts:
        """Count the clips that failed, all of them or those of one given split."""
        return count_failures(self.manifest, [key is None for key in self.keys], split=split)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Manifest rows (n,) that have features.

        Raises:
            JobFailedError: no clip has features.
        """
        rows = [row for row, key in enumerate(self.keys) if key is not None]
        if not rows:
            first = self.failures[0].message if self.failures else "there are no clips"
            raise JobFailedError(
                f"none of the {len(self.keys)} clips could be read. The first one: {first}",
                failures=self.failures,
            )
        return np.array(rows, np.int64)

    @cached_property
    def clips(self) -> list[ClipFeatures | None]:
        """Features in the manifest's order, all in memory; None for a clip that failed."""
        stored = self.store.read([key for key in self.keys if key is not None])
        return [None if key is None else stored[key] for key in self.keys]

    @cached_property
    def readable(self) -> StoredClips:
        """Features of the clips in `rows`, read as needed.

        Raises:
            JobFailedError: no clip has features.
        """
        keys = [self.keys[row] for row in self.rows]
        return StoredClips.from_source(self.store, [key for key in keys if key is not None])


def extract(
    manifest: Manifest,
    extractor: FeatureExtractor,
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> Extraction:
    """Extract the features of every clip into the store.

    Clips that the store has are not decoded; nor are clips whose bytes made an earlier run fail.

    Args:
        manifest: The clips.
        extractor: Extractor of their features.
        store_folder: Folder of the feature store; None for the default folder.
        progress: Callback; reports stages `hash` and `extract`.
        strict: Raise the first failure instead of listing it.
        retry_failed: Try clips again that failed before.

    Raises:
        StoppedError: a video cannot be read, and `strict` is set.
        StoreError: the store cannot be read or written.
        WeightsError: the backbone's weights are missing.
    """
    execution = ExecutionOptions(store_folder, progress, strict, retry_failed)
    return extract_features(manifest, extractor, execution)


def extract_all(
    manifest: Manifest, extractors: Sequence[FeatureExtractor], execution: ExecutionOptions
) -> list[Extraction]:
    """Extract with each extractor; a clip that fails with one counts as failed with all.

    Extractors with the same fingerprint share one extraction, and all share their failures.

    Raises:
        StoppedError, StoreError, WeightsError: as `extract`.
    """
    distinct = {extractor.fingerprint: extractor for extractor in extractors}
    extractions = [
        extract_features(
            manifest,
            extractor,
            replace(execution, progress=part_of(execution.progress, index, len(distinct))),
        )
        for index, extractor in enumerate(distinct.values())
    ]
    if len(extractions) > 1:
        extractions = _with_shared_failures(extractions)
    by_fingerprint = dict(zip(distinct, extractions, strict=True))
    return [by_fingerprint[extractor.fingerprint] for extractor in extractors]


def extract_features(
    manifest: Manifest, extractor: FeatureExtractor, execution: ExecutionOptions
) -> Extraction:
    """Extract the features of every clip into the store; see `extract`."""
    rows = manifest.clips()
    errors = _Errors(strict=execution.strict)
    videos, keys = identify_clips(rows, errors.add, execution.progress)
    store = feature_store(extractor, execution.store_folder)
    hashed = [key for key in keys if key is not None]
    missing = store.missing(hashed)
    errors.copies = Counter(hashed)
    errors.ok = reused = sum(key not in missing for key in hashed)
    record = FailureRecord(store.folder, extractor.fingerprint)
    pending, notes = _not_failed_before(
        _first_of_each(rows, keys, missing), record, errors, retry=execution.retry_failed
    )
    if pending:
        job = _Job(pending, videos, store, errors, record)
        notes += job.run(extractor, execution.progress)
    failed = store.missing(hashed)
    failures = [
        errors.failure(row, key)
        for row, key in zip(rows, keys, strict=True)
        if key is None or key in failed
    ]
    keys = [None if key in failed else key for key in keys]
    return Extraction(manifest, keys, store, failures, reused, notes)


def feature_store(extractor: FeatureExtractor, folder: Path | None = None) -> FeatureStore:
    """Return the store of an extractor's features, in the default folder if `folder` is None."""
    return FeatureStore(
        folder or default_store_folder(),
        settings=extractor.fingerprint,
        width=extractor.width,
        description=json.dumps(extractor.config.model_dump(mode="json"), indent=1),
    )


class _Errors:
    """Errors by clip key, or by path for a video that could not even be hashed."""

    def __init__(self, *, strict: bool) -> None:
        self.copies: Counter[str] = Counter()
        self.ok = 0
        self._errors: dict[str, VidclassError] = {}
        self._strict = strict

    def add(self, name: str, error: VidclassError) -> None:
        if self._strict:
            if isinstance(error, VideoError):
                raise StoppedError.from_error(error, ok=self.ok) from error
            raise error
        self._errors[name] = error

    def count_success(self, key: str) -> None:
        self.ok += self.copies[key]

    def failure(self, clip: Clip, key: str | None) -> Failure:
        error = self._errors[key or str(clip.video)]
        if isinstance(error, VideoError) and error.path != str(clip.video):
            # A copy, or the same file under another name, raised it.
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
    pending: list[tuple[str, Clip]], record: FailureRecord, errors: _Errors, *, retry: bool
) -> tuple[list[tuple[str, Clip]], tuple[str, ...]]:
    """Return the clips that did not fail before, and a note about those that did.

    Earlier failures are added to `errors`, or forgotten with `retry`.
    """
    if retry:
        record.forget([key for key, _ in pending])
        return pending, ()
    before = record.find({key for key, _ in pending})
    for key, clip in pending:
        if key in before:
            errors.add(key, _renamed(before[key], clip))
    count = sum(errors.copies[key] for key in before)
    note = f"{counted(count, 'clip')} failed before and {'was' if count == 1 else 'were'} not tried"
    notes = (f"{note} again; retry_failed=True tries {'it' if count == 1 else 'them'}",)
    return [item for item in pending if item[0] not in before], notes if before else ()


@dataclass(frozen=True)
class _Job:
    """Clips to extract, and where their features and errors go."""

    pending: Sequence[tuple[str, Clip]]
    videos: Mapping[Path, VideoIdentity]
    store: FeatureStore
    errors: _Errors
    record: FailureRecord

    def run(self, extractor: FeatureExtractor, progress: Progress) -> tuple[str, ...]:
        """Extract and store the pending clips, and return notes.

        Finished clips are stored whatever ends the work.
        """
        # Find out before the work, not after it, that the store cannot be written.
        self.store.begin()
        opened = extractor.open()

        def decode(item: tuple[str, Clip]) -> FrameBatch:
            key, clip = item
            frames = decode_for(extractor.config, clip.video, clip.span, fps=clip.fps, key=key)
            self.videos[clip.video].require_unchanged()
            return frames

        unsaved: dict[str, tuple[str, ClipFeatures]] = {}
        saved_at = time.monotonic()
        stream = stream_features(
            self.pending,
            decode,
            opened.network,
            video_of=lambda item: item[1].video,
            window=extractor.window,
        )
        with closing(stream) as results:
            try:
                for count, done in enumerate(results, 1):
                    key, clip = done.item
                    if done.result is not None:
                        unsaved[key] = (str(clip.video), done.result.features)
                        self.errors.count_success(key)
                    elif done.error is not None:
                        self._add_error(key, clip, done.error)
                    elapsed_s = time.monotonic() - saved_at
                    if len(unsaved) >= APPEND_CLIPS or elapsed_s >= APPEND_SECONDS:
                        self.store.append(unsaved)
                        unsaved, saved_at = {}, time.monotonic()
                    progress("extract", count, len(self.pending))
            finally:
                self.store.append(unsaved)
        self.store.compact()
        return (opened.note,) if opened.note else ()

    def _add_error(self, key: str, clip: Clip, error: VidclassError) -> None:
        if isinstance(error, VideoError) and is_lasting(error, self.videos[clip.video]):
            self.record.add(key, error)
        self.errors.add(key, error)


def _with_shared_failures(extractions: list[Extraction]) -> list[Extraction]:
    """Return the extractions with every clip that failed in one failed in all."""
    complete = [None not in keys for keys in zip(*(one.keys for one in extractions), strict=True)]
    failures: dict[tuple[object, ...], Failure] = {}
    for one in extractions:
        for row in one.failures:
            failures.setdefault((row.video, row.start_s, row.stop_s), row)
    notes = tuple(dict.fromkeys(note for one in extractions for note in one.notes))
    return [
        replace(
            one,
            keys=[key if ok else None for key, ok in zip(one.keys, complete, strict=True)],
            failures=list(failures.values()),
            notes=notes,
        )
        for one in extractions
    ]
