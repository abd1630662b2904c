"""Multi-label task: any number of classes a clip, each with a probability of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import counted, listed, quoted
from vidclass.config.task import TaskConfig, TaskKind
from vidclass.config.training import TrainingConfig
from vidclass.data.clip import labels_in
from vidclass.errors import ConfigError, ManifestError, ShapeError
from vidclass.tasks import losses
from vidclass.tasks.activations import sigmoid
from vidclass.tasks.base import Decision, LabelTask
from vidclass.tasks.multi_label_metrics import MultiLabelMetrics, multi_label_metrics
from vidclass.tasks.thresholds import DEFAULT_THRESHOLD, MIN_POSITIVES, best_thresholds

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics


@dataclass(frozen=True)
class MultiLabelDecision(Decision):
    """Classes at or above their thresholds.

    Attributes:
        labels: These classes, the most probable first.
    """

    labels: tuple[str, ...]

    def text(self) -> str:
        """Return the classes in one text, or 'none of these'."""
        return ", ".join(self.labels) or "none of these"

    def cells(self) -> list[str]:
        """Return the classes with bars between them, and whether there are none."""
        return ["|".join(self.labels), str(not self.labels).lower()]

    def to_json(self) -> dict[str, Any]:
        """Return the classes, and whether there are none."""
        return {"labels": list(self.labels), "none_of_these": not self.labels}


@dataclass(frozen=True)
class MultiLabelTask(LabelTask):
    """Any number of classes a clip, with bars between them in its label.

    Attributes:
        none_label: Label of background clips, which have none of the classes.
        thresholds: Probability (K,) from which each class is assigned; empty before calibration,
            when it is 0.5 for all.
    """

    none_label: str | None = None
    thresholds: tuple[float, ...] = ()

    kind: ClassVar[TaskKind] = "multi-label"
    multi_label: ClassVar[bool] = True
    targets_are_indices: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that there is a threshold for each class, or none at all."""
        if len(self.thresholds) not in (0, len(self.labels)):
            raise ShapeError(f"{len(self.thresholds)} thresholds for {len(self.labels)} labels")

    def with_labels(self, labels: Iterable[str]) -> Self:
        """Return the task over these classes, without `none_label`.

        Raises:
            ManifestError: there is no other class.
        """
        classes = tuple(label for label in labels if label != self.none_label)
        if not classes:
            raise ManifestError(
                f"all clips have the label {self.none_label!r} for none of the classes: there is "
                "nothing to learn."
            )
        return type(self)(classes, self.none_label)

    def notes(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the number of clips with several labels, and with none."""
        several = sum(len(labels_in(label)) > 1 for label in labels)
        none = sum(label == self.none_label for label in labels)
        background = f", {none} of none of the classes ({self.none_label!r})" if none else ""
        clips = counted(len(labels), "clip")
        return (f"a multi-label classifier: {several} of {clips} have several labels{background}",)

    @property
    def vocabulary(self) -> list[str]:
        """The classes, and `none_label`."""
        return [*self.labels, *([self.none_label] if self.none_label else [])]

    def unknown_labels(self, labels: Iterable[str]) -> list[str]:
        """Return the sorted labels that are neither a class nor `none_label`."""
        return sorted(set(labels) - {*self.labels, self.none_label})

    def targets(self, labels: Iterable[str]) -> NDArray[np.float32]:
        """Return rows (N,K) float32 with 1 for the classes of each clip."""
        texts = list(labels)
        index = {label: position for position, label in enumerate(self.labels)}
        rows = np.zeros((len(texts), len(self.labels)), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[[index[name] for name in labels_in(text) if name != self.none_label]] = 1
        return rows

    def loss(self, config: TrainingConfig, y_true: NDArray[Any]) -> Any:
        """Return binary cross-entropy, with weights of positives if classes are balanced."""
        balance = config.balance_classes
        weights = losses.positive_weights(y_true) if balance else np.ones(len(self.labels))
        return losses.binary_loss(weights, config.label_smoothing)

    def training_metrics(self) -> list[Any]:
        """Return the share of labels that are right at a probability of one half."""
        import keras

        return [keras.metrics.MeanMetricWrapper(losses.label_accuracy, name="accuracy")]

    def calibrated(
        self, validation: tuple[NDArray[Any], NDArray[np.float64]] | None, config: TaskConfig
    ) -> tuple[Self, tuple[str, ...]]:
        """Choose the thresholds with the highest F1 on the validation clips."""
        if validation is None:
            thresholds = (DEFAULT_THRESHOLD,) * len(self.labels)
            return replace(self, thresholds=thresholds), (
                "all thresholds are 0.5: there is no validation clip to choose them on",
            )
        y_true, probabilities = validation
        task = replace(self, thresholds=best_thresholds(probabilities, y_true))
        counts = y_true.sum(0)
        rare = [
            label
            for label, count in zip(self.labels, counts, strict=True)
            if min(count, len(y_true) - count) < MIN_POSITIVES
        ]
        if not rare:
            return task, ()
        return task, (
            f"thresholds of 0.5, for lack of {MIN_POSITIVES} validation clips with and without "
            f"the class: {listed(quoted(rare))}",
        )

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return independent sigmoid probabilities (N,K)."""
        return sigmoid(logits)

    def require_unknown(self, source: object) -> None:
        """Refuse to reject unknown clips: each class has a threshold instead.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{source} has no probability below which a clip is unknown: only single-label "
            f"classifiers can have it, and this one is {self.kind}"
        )

    def assigned(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether each class of each clip is at or above its threshold, (N,K)."""
        thresholds = self.thresholds or (DEFAULT_THRESHOLD,) * len(self.labels)
        return np.asarray(probabilities >= np.array(thresholds), np.bool_)

    def decide(
        self, probabilities: NDArray[np.floating], *, unknown: bool = False
    ) -> MultiLabelDecision:
        """Return the classes at or above their thresholds, the most probable first."""
        order = (-probabilities).argsort(kind="stable")
        assigned = self.assigned(probabilities[None])[0]
        indices = [index for index in order if assigned[index]]
        labels = tuple(self.labels[index] for index in indices)
        highest = float(probabilities[indices[0] if indices else order[0]])
        return MultiLabelDecision(labels[0] if labels else None, highest, labels)

    def columns(self, *, unknown: bool = False) -> list[str]:
        """Return the columns of the classes, and of whether there are none."""
        return ["labels", "none_of_these"]

    def pooled_metrics(
        self,
        probabilities: NDArray[np.floating],
        y_true: NDArray[Any],
        folds: Sequence[tuple[Self, NDArray[np.bool_]]],
        *,
        unknown: NDArray[np.floating] | None = None,
        failures: FailureMetrics | None = None,
    ) -> MultiLabelMetrics:
        """Return metrics of the classes that the thresholds assign, and of average precision."""
        assigned = np.zeros(probabilities.shape, bool)
        for task, inside in folds:
            assigned[inside] = task.assigned(probabilities[inside])
        return multi_label_metrics(
            probabilities,
            y_true,
            self.labels,
            assigned=assigned,
            thresholds=folds[0][0].thresholds if len(folds) == 1 else (),
            with_none=self.none_label is not None,
            failures=failures,
        )
