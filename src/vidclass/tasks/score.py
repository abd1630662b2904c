"""Metrics for whichever kind of labels a classifier knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.tasks.answers import AnswerRule
from vidclass.tasks.hierarchy import hierarchy_metrics
from vidclass.tasks.metrics import Metrics, compute_metrics
from vidclass.tasks.multilabel import multilabel_metrics
from vidclass.tasks.rejection import measure_rejection


@dataclass(frozen=True)
class HeldOutAnswers:
    """What classifiers of several folds answer of clips that they have not learned from.

    Attributes:
        chosen: (N,K) the labels that a multi-label one names.
        accepted: (N,) whether a single-label one answers at all; None if none has a threshold.
    """

    chosen: NDArray[np.bool_]
    accepted: NDArray[np.bool_] | None = None


def score(
    rule: AnswerRule,
    probabilities: NDArray[np.floating],
    truth: NDArray[Any],
    *,
    held_out: HeldOutAnswers | None = None,
    unknown: NDArray[np.floating] | None = None,
    lost: Mapping[str, Any] | None = None,
) -> Metrics:
    """Metrics of probabilities (N,K) against what `LabelScheme.truth` says of the clips.

    Args:
        rule: How the classifier answers.
        probabilities: Of each clip.
        truth: Of each clip.
        held_out: The answers, where folds have thresholds of their own in place of the rule's.
        unknown: (M,K), probabilities of clips of classes that the classifier does not know.
        lost: `failed` and `failed_by_class`, of clips that are in no score.

    Returns:
        Metrics, MultiLabelMetrics or HierarchyMetrics.

    Raises:
        ShapeError: the arrays do not fit.
        ManifestError: no clip of a hierarchy is labelled down to a leaf.
    """
    scheme = rule.scheme
    if scheme.kind == "hierarchy":
        return hierarchy_metrics(probabilities, truth, scheme, lost=lost)
    if scheme.kind == "multi-label":
        return multilabel_metrics(
            probabilities,
            truth,
            scheme.labels,
            chosen=rule.chosen(probabilities) if held_out is None else held_out.chosen,
            thresholds=rule.thresholds if held_out is None else (),
            with_none=scheme.none_label is not None,
            lost=lost,
        )
    metrics = compute_metrics(probabilities, truth, scheme.labels, **(lost or {}))
    if held_out is not None:
        accepted = held_out.accepted
    else:
        accepted = None if rule.unknown_below is None else rule.accepted(probabilities)
    if accepted is None:
        return metrics
    rejection = measure_rejection(
        probabilities, truth, accepted, unknown_below=rule.unknown_below, unknown=unknown
    )
    return replace(metrics, rejection=rejection)
