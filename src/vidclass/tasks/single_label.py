"""Single-label task: one class a clip, or `unknown`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vidclass.config.task import TaskConfig, TaskKind
from vidclass.config.training import TrainingConfig
from vidclass.errors import ConfigError
from vidclass.tasks import losses
from vidclass.tasks.activations import softmax
from vidclass.tasks.base import Decision, LabelTask
from vidclass.tasks.metrics import SingleLabelMetrics, single_label_metrics
from vidclass.tasks.rejection import (
    measure_rejection,
    threshold_for_precision,
    threshold_keeping,
)

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics


@dataclass(frozen=True)
class SingleLabelDecision(Decision):
    """Most probable class, or none if the clip is unknown.

    Attributes:
        unknown: Whether the clip is rejected; None if that was not asked.
    """

    unknown: bool | None = None

    def text(self) -> str:
        """Return 'unknown' if the clip is rejected."""
        return "unknown" if self.unknown else ""

    def cells(self) -> list[str]:
        """Return whether the clip is unknown, if that was asked."""
        return [] if self.unknown is None else [str(self.unknown).lower()]

    def to_json(self) -> dict[str, Any]:
        """Return whether the clip is unknown, if that was asked."""
        return {} if self.unknown is None else {"unknown": self.unknown}


@dataclass(frozen=True)
class SingleLabelTask(LabelTask):
    """One class a clip.

    Attributes:
        unknown_below: Highest probability below which a clip is unknown, if that is asked; None
            without such a threshold.
    """

    unknown_below: float | None = None

    kind: ClassVar[TaskKind] = "single-label"
    multi_label: ClassVar[bool] = False
    targets_are_indices: ClassVar[bool] = True

    def with_labels(self, labels: Iterable[str]) -> Self:
        """Return the task over these classes."""
        return type(self)(tuple(labels))

    def notes(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return nothing: it is the ordinary task."""
        return ()

    @property
    def vocabulary(self) -> list[str]:
        """The classes."""
        return list(self.labels)

    def unknown_labels(self, labels: Iterable[str]) -> list[str]:
        """Return the sorted labels that name no class."""
        return sorted(set(labels) - set(self.labels))

    def targets(self, labels: Iterable[str]) -> NDArray[np.int64]:
        """Return class indices (N,)."""
        index = {label: position for position, label in enumerate(self.labels)}
        return np.array([index[label] for label in labels], np.int64)

    def loss(self, config: TrainingConfig, y_true: NDArray[Any]) -> Any:
        """Return cross-entropy or focal loss; classes are balanced by `class_weights`."""
        return losses.categorical_loss(config)

    def training_metrics(self) -> list[Any]:
        """Return Keras's accuracy."""
        return ["accuracy"]

    def calibrated(
        self, validation: tuple[NDArray[Any], NDArray[np.float64]] | None, config: TaskConfig
    ) -> tuple[Self, tuple[str, ...]]:
        """Choose the threshold for unknown clips, if one is asked for; return task and notes."""
        if not config.unknown:
            return self, ()
        if validation is None:
            return self, ("no threshold for unknown clips: there is no validation clip",)
        y_true, probabilities = validation
        if config.unknown_precision is None:
            threshold = threshold_keeping(probabilities, y_true)
            reason = "no validation clip is classified correctly"
        else:
            precision = config.unknown_precision
            threshold = threshold_for_precision(probabilities, y_true, precision=precision)
            reason = (
                f"at no probability are {100 * precision:g} % of the validation clips above it "
                "classified correctly"
            )
        if threshold is None:
            return self, (f"no threshold for unknown clips: {reason}",)
        return replace(self, unknown_below=threshold), ()

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return softmax probabilities (N,K)."""
        return softmax(logits)

    def require_unknown(self, source: object) -> None:
        """Refuse to reject unknown clips without a threshold.

        Raises:
            ConfigError: there is none.
        """
        if self.unknown_below is None:
            raise ConfigError(
                f"{source} has no probability below which a clip is unknown: train it with "
                "unknown=True"
            )

    def accepted(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether the highest probability of each clip (N,K) reaches the threshold, (N,)."""
        return np.asarray(probabilities.max(1) >= (self.unknown_below or 0.0), np.bool_)

    def decide(
        self, probabilities: NDArray[np.floating], *, unknown: bool = False
    ) -> SingleLabelDecision:
        """Return the most probable class, or none if the clip is unknown and that is asked."""
        best = int(probabilities.argmax())
        rejected = not bool(self.accepted(probabilities[None])[0]) if unknown else None
        label = None if rejected else self.labels[best]
        return SingleLabelDecision(label, float(probabilities[best]), rejected)

    def columns(self, *, unknown: bool = False) -> list[str]:
        """Return 'unknown', if that is asked."""
        return ["unknown"] if unknown else []

    def pooled_metrics(
        self,
        probabilities: NDArray[np.floating],
        y_true: NDArray[Any],
        folds: Sequence[tuple[Self, NDArray[np.bool_]]],
        *,
        unknown: NDArray[np.floating] | None = None,
        failures: FailureMetrics | None = None,
    ) -> SingleLabelMetrics:
        """Return metrics, with the effect of rejection if a fold has a threshold."""
        metrics = single_label_metrics(probabilities, y_true, self.labels, failures=failures)
        if all(task.unknown_below is None for task, _ in folds):
            return metrics
        accepted = np.ones(len(y_true), bool)
        for task, inside in folds:
            accepted[inside] = task.accepted(probabilities[inside])
        rejection = measure_rejection(
            probabilities,
            y_true,
            accepted,
            unknown_below=folds[0][0].unknown_below if len(folds) == 1 else None,
            unknown=unknown,
        )
        return replace(metrics, rejection=rejection)
