"""Features of the same clips under several settings, all of them or none for each clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vidclass.data.manifest import Manifest
from vidclass.features.extract import Extraction, extract
from vidclass.features.extractor import FeatureExtractor
from vidclass.types import Failure, Progress, no_progress, one_of


def extract_several(
    manifest: Manifest,
    extractors: Sequence[FeatureExtractor],
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> list[Extraction]:
    """One extraction for each extractor; a clip that fails in one fails in all.

    Extractors with the same fingerprint share their extraction.

    Raises:
        StoppedError, StoreError, WeightsError: as `extract`.
    """
    distinct = {extractor.fingerprint: extractor for extractor in extractors}
    found = {
        key: extract(
            manifest,
            extractor,
            store_folder=store_folder,
            progress=one_of(progress, place, len(distinct)),
            strict=strict,
            retry_failed=retry_failed,
        )
        for place, (key, extractor) in enumerate(distinct.items())
    }
    if len(found) > 1:
        found = dict(zip(found, _agreeing(list(found.values())), strict=True))
    return [found[extractor.fingerprint] for extractor in extractors]


def _agreeing(extractions: list[Extraction]) -> list[Extraction]:
    whole = [None not in keys for keys in zip(*(one.keys for one in extractions), strict=True)]
    failures: dict[tuple[object, ...], Failure] = {}
    for one in extractions:
        for row in one.failures:
            failures.setdefault((row.video, row.start_s, row.stop_s), row)
    notes = tuple(dict.fromkeys(note for one in extractions for note in one.notes))
    return [
        replace(
            one,
            keys=[key if ok else None for key, ok in zip(one.keys, whole, strict=True)],
            failures=list(failures.values()),
            notes=notes,
        )
        for one in extractions
    ]
