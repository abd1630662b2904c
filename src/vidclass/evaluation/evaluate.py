"""Measure a bundle on labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.bundle.read import Bundle, require_unknown
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError
from vidclass.features.extract import Extraction, extract_all
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.score import score
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
    unknown: bool = False,
) -> Evaluation:
    """Metrics of a bundle on the clips of a manifest, whatever their split.

    With `unknown`, labels that the bundle does not know may be among them: those clips are in
    `metrics.rejection` only, as clips that should be refused.

    Raises:
        ManifestError: a clip has a label that the bundle does not know, or several labels, and the
            bundle is not of that kind.
        ConfigError: `unknown`, but the bundle has no threshold for that.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    rule = bundle.rule
    foreign = _labels_not_known(bundle, manifest, allowed=unknown)
    extractions = extract_all(
        manifest,
        [member.extractor() for member in bundle.members],
        ExecutionOptions(store_folder, progress, strict, retry_failed),
    )
    extraction = extractions[0]
    rows = extraction.rows
    probabilities = bundle.probabilities(*(each.readable()[1] for each in extractions))
    label_of = manifest.table["label"].to_list()
    names = [label_of[row] for row in rows.tolist()]
    known = np.array([name not in foreign for name in names])
    if not known.any():
        raise ManifestError(f"no clip that could be read is of a known class: {bundle.labels}")
    metrics = score(
        rule,
        probabilities[known],
        rule.scheme.truth(name for name in names if name not in foreign),
        unknown=probabilities[~known] if unknown else None,
        lost=extraction.failure_counts().as_metrics(),
    )
    return Evaluation(metrics, probabilities, rows, extraction)


def _labels_not_known(bundle: Bundle, manifest: Manifest, *, allowed: bool) -> list[str]:
    """Labels of the clips that are none of the bundle's."""
    scheme = bundle.rule.scheme
    if allowed:
        require_unknown(bundle)
    if scheme.kind != "multi-label":
        require_single_labels(manifest.table)
    foreign = scheme.unknown(manifest.labels)
    if foreign and not allowed:
        more = f", and {scheme.none_label!r} for none of them" if scheme.none_label else ""
        raise ManifestError(
            f"the classifier does not know these labels: {foreign}. It knows {bundle.labels}{more}"
        )
    return foreign
