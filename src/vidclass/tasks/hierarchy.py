"""Hierarchical task: one leaf of a tree a clip, which may be labelled with a parent only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import counted, percent
from vidclass.config.task import TaskConfig, TaskKind
from vidclass.config.training import TrainingConfig
from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks import losses
from vidclass.tasks.activations import softmax
from vidclass.tasks.base import Decision, LabelTask
from vidclass.tasks.metrics import ExclusiveMetrics, exclusive_metrics, wilson_interval
from vidclass.tasks.tree import LabelTree

if TYPE_CHECKING:
    from vidclass.features.failures import FailureMetrics


@dataclass(frozen=True)
class HierarchyDecision(Decision):
    """Most probable leaf, and the most probable node of each level.

    Attributes:
        levels: Node and probability at each level, from the top.
    """

    levels: tuple[tuple[str, float], ...]

    def text(self) -> str:
        """Return the node of each level with its probability."""
        return ", ".join(f"{node} ({percent(probability)})" for node, probability in self.levels)

    def cells(self) -> list[str]:
        """Return the node of each level."""
        return [node for node, _ in self.levels]

    def to_json(self) -> dict[str, Any]:
        """Return number, node and probability of each level."""
        return {
            "levels": [
                {"level": level, "label": node, "probability": probability}
                for level, (node, probability) in enumerate(self.levels, 1)
            ]
        }


@dataclass(frozen=True)
class HierarchyTask(LabelTask):
    """One leaf of a tree a clip; the classes are the leaves."""

    kind: ClassVar[TaskKind] = "hierarchy"
    multi_label: ClassVar[bool] = False
    targets_are_indices: ClassVar[bool] = False

    @cached_property
    def tree(self) -> LabelTree:
        """The classes as leaves of a tree."""
        return LabelTree(self.labels)

    def with_labels(self, labels: Iterable[str]) -> Self:
        """Return the task over the leaves among these labels.

        Raises:
            ManifestError: the labels are no tree.
        """
        return type(self)(LabelTree.from_labels(labels).leaves)

    def notes(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return depth, number of leaves, and number of clips labelled with a parent."""
        coarse = sum(label not in self.labels for label in labels)
        parents = f"; {counted(coarse, 'clip')} labelled with a parent only" if coarse else ""
        return (f"a hierarchy of {self.tree.depth} levels with {len(self.labels)} leaves{parents}",)

    @property
    def vocabulary(self) -> list[str]:
        """The leaves."""
        return list(self.labels)

    def unknown_labels(self, labels: Iterable[str]) -> list[str]:
        """Return the sorted labels that are neither a leaf nor a node above one."""
        return sorted(label for label in set(labels) if label not in self.tree)

    def targets(self, labels: Iterable[str]) -> NDArray[np.float32]:
        """Return rows (N,K) float32 with 1 for the leaves that each clip may be."""
        texts = list(labels)
        rows = np.zeros((len(texts), len(self.labels)), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[self.tree.leaves_below(text)] = 1
        return rows

    def loss(self, config: TrainingConfig, y_true: NDArray[Any]) -> Any:
        """Return marginal cross-entropy, with weights of leaves if classes are balanced."""
        balance = config.balance_classes
        weights = losses.leaf_weights(y_true) if balance else np.ones(len(self.labels))
        return losses.marginal_loss(weights, config.label_smoothing)

    def training_metrics(self) -> list[Any]:
        """Return the share of clips whose most probable leaf is a possible one."""
        import keras

        return [keras.metrics.MeanMetricWrapper(losses.leaf_accuracy, name="accuracy")]

    def calibrated(
        self, validation: tuple[NDArray[Any], NDArray[np.float64]] | None, config: TaskConfig
    ) -> tuple[Self, tuple[str, ...]]:
        """Return the task as it is: it has no thresholds."""
        return self, ()

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return softmax probabilities (N,K) of the leaves."""
        return softmax(logits)

    def require_unknown(self, source: object) -> None:
        """Refuse to reject unknown clips: each level has a probability instead.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{source} has no probability below which a clip is unknown: only single-label "
            f"classifiers can have it, and this one is a {self.kind}"
        )

    def decide(
        self, probabilities: NDArray[np.floating], *, unknown: bool = False
    ) -> HierarchyDecision:
        """Return the most probable leaf, and the most probable node of each level."""
        levels = tuple(
            (nodes[int(scores.argmax())], float(scores.max()))
            for nodes, scores in self.tree.level_probabilities(probabilities)
        )
        best = int(probabilities.argmax())
        return HierarchyDecision(self.labels[best], float(probabilities[best]), levels)

    def columns(self, *, unknown: bool = False) -> list[str]:
        """Return a column for each level."""
        return [f"level_{level}" for level in range(1, self.tree.depth + 1)]

    def pooled_metrics(
        self,
        probabilities: NDArray[np.floating],
        y_true: NDArray[Any],
        folds: Sequence[tuple[Self, NDArray[np.bool_]]],
        *,
        unknown: NDArray[np.floating] | None = None,
        failures: FailureMetrics | None = None,
    ) -> HierarchyMetrics:
        """Return metrics of the leaves, and accuracy by level: there are no thresholds.

        Raises:
            ManifestError: no clip is labelled with a leaf.
        """
        is_leaf = y_true.sum(1) == 1
        if not is_leaf.any():
            raise ManifestError(
                f"none of {len(y_true)} clips is labelled with a leaf, such as "
                f"{self.labels[0]!r}: metrics take some that are"
            )
        leaf = y_true[is_leaf].argmax(1)
        common = exclusive_metrics(probabilities[is_leaf], leaf, self.labels, failures)
        return HierarchyMetrics(**common, levels=self._level_metrics(probabilities, y_true))

    def _level_metrics(
        self, probabilities: NDArray[np.floating], y_true: NDArray[Any]
    ) -> list[dict[str, Any]]:
        metrics = []
        for level, (_, scores) in enumerate(self.tree.level_probabilities(probabilities), 1):
            # A label reaches a level if all of its possible leaves are below one node of it.
            nodes = y_true @ self.tree.level(level)[1] > 0
            reaches = nodes.sum(1) == 1
            correct = scores[reaches].argmax(1) == nodes[reaches].argmax(1)
            metrics.append(
                {
                    "level": level,
                    "videos": int(reaches.sum()),
                    "accuracy": float(correct.mean()),
                    "accuracy_interval": list(wilson_interval(correct)),
                }
            )
        return metrics


@dataclass(frozen=True)
class HierarchyMetrics(ExclusiveMetrics):
    """Metrics of the leaves, over the clips labelled with one, and of each level.

    Attributes:
        levels: For each level from the top, `level`, `videos` (clips whose label reaches it),
            `accuracy` and its `accuracy_interval`, as a list of two.
    """

    levels: list[dict[str, Any]]

    def task_json(self) -> dict[str, Any]:
        """Return the accuracy by level."""
        return {"task": HierarchyTask.kind, "levels": self.levels}

    def fold_json(self) -> dict[str, Any]:
        """Return the accuracy by level."""
        return {"levels": self.levels}

    def pooled_json(self, folds: Sequence[Self]) -> dict[str, Any]:
        """Return the accuracy by level, and the figures by class."""
        return {**self.task_json(), "per_class": self.per_class}

    def details(self) -> list[str]:
        """Return the accuracy by level."""
        return [
            f"level {row['level']}: accuracy {percent(row['accuracy'])} (95 % interval "
            f"{percent(row['accuracy_interval'][0])} to {percent(row['accuracy_interval'][1])}) "
            f"on {row['videos']} clips"
            for row in self.levels
        ]
