"""Measure a bundle on labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle.read import Bundle
from vidclass.data.checks import refuse_several_labels
from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError
from vidclass.evaluation.metrics import Metrics, compute_metrics
from vidclass.features.extract import Extraction
from vidclass.features.several import extract_several
from vidclass.types import Progress, no_progress


@dataclass(frozen=True)
class Evaluation:
    """The metrics, and what they were computed from.

    Attributes:
        metrics: Over the clips that could be read.
        probabilities: (N,K) for those clips, in the manifest's order.
        rows: (N,) their rows in the manifest.
        extraction: The features, with the ledger.
    """

    metrics: Metrics
    probabilities: NDArray[np.float64]
    rows: NDArray[np.int64]
    extraction: Extraction


def evaluate(
    bundle: Bundle,
    manifest: Manifest,
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> Evaluation:
    """Metrics of a bundle on the clips of a manifest, whatever their split.

    Raises:
        ManifestError: a clip has a label that the bundle does not know, or several labels.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    refuse_several_labels(manifest.table)
    unknown = sorted(set(manifest.labels) - set(bundle.labels))
    if unknown:
        raise ManifestError(
            f"the classifier does not know these labels: {unknown}. It knows {bundle.labels}"
        )
    extractions = extract_several(
        manifest,
        [member.maker() for member in bundle.members],
        store_folder=store_folder,
        progress=progress,
        strict=strict,
        retry_failed=retry_failed,
    )
    extraction = extractions[0]
    rows = extraction.rows
    probabilities = bundle.probabilities(*(each.readable()[1] for each in extractions))
    names = manifest.table["label"].to_list()
    truth = np.array([bundle.labels.index(names[row]) for row in rows.tolist()], np.int64)
    metrics = compute_metrics(probabilities, truth, bundle.labels, **extraction.lost().counts())
    return Evaluation(metrics, probabilities, rows, extraction)
