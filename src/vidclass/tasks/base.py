"""Interface of label tasks: how labels become targets, and probabilities decisions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from vidclass.config.task import TaskConfig, TaskKind
from vidclass.config.training import TrainingConfig
from vidclass.errors import ConfigError, ShapeError
from vidclass.tasks import losses

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics
    from vidclass.tasks.metrics import Metrics


@dataclass(frozen=True)
class Decision(ABC):
    """Decision for one clip.

    Attributes:
        label: Most probable class that the clip is assigned to; None if it is assigned to none.
        probability: Probability of `label`; without one, the highest of all classes.
    """

    label: str | None
    probability: float

    @abstractmethod
    def text(self) -> str:
        """Return the decision in words, or '' if the most probable class says it all."""

    @abstractmethod
    def cells(self) -> list[str]:
        """Return the values for the columns that `LabelTask.columns` names."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the keys that a prediction's JSON has beyond label, probability and scores."""


@dataclass(frozen=True)
class LabelTask(ABC):
    """The K classes of a classifier, and the meaning of a clip's label in terms of them.

    Attributes:
        labels: Class names, in the order of every score vector.
        kind: Name of the task in configurations and bundles.
        multi_label: A clip may have any number of classes; their probabilities are independent.
        targets_are_indices: Each clip has exactly one class and targets are class indices (N,);
            otherwise they are rows (N,K).
    """

    labels: tuple[str, ...]

    kind: ClassVar[TaskKind]
    multi_label: ClassVar[bool]
    targets_are_indices: ClassVar[bool]
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @abstractmethod
    def with_labels(self, labels: Iterable[str]) -> Self:
        """Return the task over the classes among these labels, without calibration.

        Raises:
            ManifestError: the labels do not fit the task.
        """

    @abstractmethod
    def notes(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return sentences that describe the task, given the label of each training clip."""

    @property
    @abstractmethod
    def vocabulary(self) -> list[str]:
        """Labels that a message about unknown labels names as known."""

    @abstractmethod
    def unknown_labels(self, labels: Iterable[str]) -> list[str]:
        """Return the sorted labels, of one class each, that the task cannot represent."""

    @abstractmethod
    def targets(self, labels: Iterable[str]) -> NDArray[Any]:
        """Return targets of N clips from their labels, all of which the task can represent.

        Returns:
            Class indices (N,) int64, or rows (N,K) float32 with 1 for each possible class.
        """

    def require_training(self, config: TrainingConfig) -> None:
        """Refuse settings that need class indices as targets.

        Raises:
            ConfigError: `config` has such a setting, and the task has no class indices.
        """
        if self.targets_are_indices:
            return
        unsupported = {
            "loss='focal'": config.loss == "focal",
            "monitor='macro_f1'": config.monitor == "macro_f1",
            "augment.reverse": config.augment.reverse > 0,
        }
        for name, is_set in unsupported.items():
            if is_set:
                raise ConfigError(
                    f"{name} is for single-label classifiers; this one is {self.kind}."
                )

    @abstractmethod
    def loss(self, config: TrainingConfig, y_true: NDArray[Any]) -> Any:
        """Return the Keras loss; `y_true` are the targets of the training clips."""

    @abstractmethod
    def training_metrics(self) -> list[Any]:
        """Return the metrics that a Keras model is compiled with."""

    def loss_targets(self, y_true: NDArray[Any], config: TrainingConfig) -> NDArray[Any]:
        """Return targets in the form that `loss` takes: as they are, or one-hot (N,K) float32."""
        if not self.targets_are_indices or losses.takes_indices(config):
            return y_true
        return np.asarray(np.eye(len(self.labels), dtype=np.float32)[y_true])

    def class_weights(self, y_true: NDArray[Any]) -> dict[int, float] | None:
        """Return weights inverse to class frequencies; None if balanced, or if `loss` has them."""
        if not self.targets_are_indices:
            return None
        return losses.class_weights(y_true, len(self.labels))

    @abstractmethod
    def calibrated(
        self, validation: tuple[NDArray[Any], NDArray[np.float64]] | None, config: TaskConfig
    ) -> tuple[Self, tuple[str, ...]]:
        """Choose decision thresholds on validation clips; return the task, and notes.

        Args:
            validation: Targets and probabilities (V,K) of clips that the classifier has not been
                trained on; None without any.
            config: Whether and how to choose a threshold for unknown clips.
        """

    @abstractmethod
    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return class probabilities (N,K) from logits (N,K)."""

    @abstractmethod
    def require_unknown(self, source: object) -> None:
        """Refuse to reject unknown clips without a threshold for it.

        Raises:
            ConfigError: there is none; the message names `source`.
        """

    @abstractmethod
    def decide(self, probabilities: NDArray[np.floating], *, unknown: bool = False) -> Decision:
        """Return the decision for one clip from its probabilities (K,).

        With `unknown`, which takes a threshold (`require_unknown`), a clip may be rejected.
        """

    @abstractmethod
    def columns(self, *, unknown: bool = False) -> list[str]:
        """Return the names of the columns that a table of decisions has beyond label and scores."""

    def metrics(
        self,
        probabilities: NDArray[np.floating],
        y_true: NDArray[Any],
        *,
        unknown: NDArray[np.floating] | None = None,
        failures: FailureMetrics | None = None,
    ) -> Metrics:
        """Return metrics of probabilities (N,K) against targets; arguments as `pooled_metrics`.

        Raises:
            ShapeError: the arrays do not fit one another.
            ManifestError: the clips do not allow measuring.
        """
        if probabilities.shape != (len(y_true), len(self.labels)):
            raise ShapeError(
                f"probabilities {probabilities.shape} for {len(y_true)} clips and "
                f"{len(self.labels)} labels"
            )
        everywhere = np.ones(len(y_true), bool)
        return self.pooled_metrics(
            probabilities, y_true, [(self, everywhere)], unknown=unknown, failures=failures
        )

    @abstractmethod
    def pooled_metrics(
        self,
        probabilities: NDArray[np.floating],
        y_true: NDArray[Any],
        folds: Sequence[tuple[Self, NDArray[np.bool_]]],
        *,
        unknown: NDArray[np.floating] | None = None,
        failures: FailureMetrics | None = None,
    ) -> Metrics:
        """Return metrics over all folds, each decided by its own thresholds.

        Args:
            probabilities: Class probabilities (N,K); of several folds, out-of-fold ones.
            y_true: Targets of each clip.
            folds: For each fold its calibrated task, and a mask (N,) of its clips.
            unknown: Probabilities (M,K) of clips of classes that the task does not have.
            failures: Counts of clips that failed and are in no score.

        Raises:
            ShapeError: the arrays do not fit one another.
            ManifestError: the clips do not allow measuring.
        """

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `vidclass.tasks.resolve.task_from_json` reads back."""
        return {"kind": self.kind, **asdict(self)}
