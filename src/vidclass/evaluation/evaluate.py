"""Measure a bundle on labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.bundle.read import Bundle
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError
from vidclass.features.extract import Extraction, extract_all
from vidclass.tasks.metrics import Metrics
from vidclass.types import Progress, no_progress


@dataclass(frozen=True)
class Evaluation:
    """Metrics, and the predictions behind them.

    Attributes:
        metrics: Metrics over the clips that could be read.
        probabilities: Class probabilities (N,K) of those clips, in the manifest's order.
        rows: Their rows in the manifest, (N,).
        extraction: Their features, with the ledger.
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
    unknown: bool = False,
) -> Evaluation:
    """Measure a bundle on the clips of a manifest, whatever their split.

    With `unknown`, clips may have labels that the bundle does not have: they count only in
    `metrics.rejection`, as clips that should be rejected.

    Raises:
        ManifestError: a clip has a label that the bundle does not have, or several labels that its
            task does not allow.
        ConfigError: `unknown` is set, but the bundle has no threshold for it.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    task = bundle.task
    if unknown:
        task.require_unknown(bundle.path)
    if not task.multi_label:
        require_single_labels(manifest.table)
    foreign = task.unknown_labels(manifest.labels)
    if foreign and not unknown:
        raise ManifestError(
            f"the classifier does not know these labels: {foreign}. It knows {task.vocabulary}"
        )
    extractions = extract_all(
        manifest,
        [head.extractor() for head in bundle.ensemble],
        ExecutionOptions(store_folder, progress, strict, retry_failed),
    )
    extraction = extractions[0]
    probabilities = bundle.probabilities(*(each.readable for each in extractions))
    label_of_row = manifest.table["label"].to_list()
    labels = [label_of_row[row] for row in extraction.rows.tolist()]
    is_known = np.array([label not in foreign for label in labels])
    if not is_known.any():
        raise ManifestError(f"no clip that could be read is of a known class: {bundle.labels}")
    metrics = task.metrics(
        probabilities[is_known],
        task.targets(label for label in labels if label not in foreign),
        unknown=probabilities[~is_known] if unknown else None,
        failures=extraction.failure_counts().as_metrics(),
    )
    return Evaluation(metrics, probabilities, extraction.rows, extraction)
