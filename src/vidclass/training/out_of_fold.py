"""What classifiers of several folds say of clips that they have not learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.tasks.answers import AnswerRule
from vidclass.tasks.hierarchy import HierarchyMetrics
from vidclass.tasks.label_scheme import LabelScheme
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.multilabel import MultiLabelMetrics
from vidclass.tasks.score import HeldOutAnswers, score
from vidclass.training.head_selection import HeadChoice


@dataclass(frozen=True)
class FoldResult:
    """How a head trained on the other folds does on this one.

    Attributes:
        fold: Its number.
        accuracy: Of a multi-label classifier, the share of exact matches.
        videos: How many clips it has.
        more: Figures that only some kinds of classifiers have, by name.
        choices: How the head of each view was chosen, on the other folds.
    """

    fold: int
    accuracy: float
    videos: int
    more: dict[str, Any] = field(default_factory=dict)
    choices: tuple[HeadChoice, ...] = ()

    @property
    def heads(self) -> str:
        """The heads that were chosen, view by view."""
        return ", ".join(choice.name for choice in self.choices)

    def to_json(self) -> dict[str, Any]:
        """The stable JSON shape."""
        facts = {"fold": self.fold, "accuracy": self.accuracy, "videos": self.videos} | self.more
        return facts | ({"heads": self.heads} if self.choices else {})


class HeldOut:
    """Collects the answers of every fold: probabilities (N,K), and what is made of them."""

    def __init__(self, scheme: LabelScheme, truth: NDArray[Any]) -> None:
        shape = (len(truth), len(scheme.labels))
        self._scheme, self._truth = scheme, truth
        self.probabilities = np.zeros(shape)
        self._chosen = np.zeros(shape, bool)
        self._accepted = np.ones(len(truth), bool)
        self._rejects = False

    def add(
        self,
        fold: int,
        inside: NDArray[np.bool_],
        rule: AnswerRule,
        probabilities: NDArray[np.float64],
        *,
        choices: tuple[HeadChoice, ...] = (),
    ) -> FoldResult:
        """Take in the probabilities of the clips inside a fold, answered by the fold's own rule."""
        self.probabilities[inside] = probabilities
        self._chosen[inside] = rule.chosen(probabilities)
        self._accepted[inside] = rule.accepted(probabilities)
        self._rejects |= rule.unknown_below is not None
        metrics = score(rule, probabilities, self._truth[inside])
        return FoldResult(
            fold, metrics.accuracy, int(inside.sum()), further_figures(metrics), choices
        )

    def pooled(self, lost: Mapping[str, Any]) -> Metrics:
        """Metrics over the clips of all folds."""
        answers = HeldOutAnswers(self._chosen, self._accepted if self._rejects else None)
        rule = AnswerRule(self._scheme)
        return score(rule, self.probabilities, self._truth, held_out=answers, lost=lost)


def further_figures(metrics: Metrics) -> dict[str, Any]:
    """What to say beyond `accuracy`, in short; nothing of a plain single-label classifier."""
    found: dict[str, Any] = {}
    if isinstance(metrics, MultiLabelMetrics):
        found["mean_average_precision"] = metrics.mean_average_precision
        found["micro_f1"] = metrics.micro_f1
        found["macro_f1"] = metrics.macro_f1
        found["label_accuracy"] = metrics.label_accuracy
    if isinstance(metrics, HierarchyMetrics):
        found["levels"] = metrics.levels
    if metrics.rejection is not None:
        found["rejection"] = metrics.rejection.to_json()
    return found
