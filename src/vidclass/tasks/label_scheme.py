"""What the labels of clips mean to a classifier: from texts to truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import counted, listed, quoted
from vidclass.config import TaskConfig
from vidclass.data.checks import require_single_labels
from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks.tree import LabelTree

Kind = Literal["single-label", "multi-label", "hierarchy"]


@dataclass(frozen=True)
class LabelScheme:
    """The K classes of a classifier, and how the label of a clip points to them.

    Attributes:
        labels: The classes, in the order of every score vector; of a hierarchy, its leaves.
        kind: `single-label`: one class a clip.  `multi-label`: any number of them, with bars
            between.  `hierarchy`: one leaf, or a node above several, of which one is right.
        none_label: The label of clips of none of the classes; multi-label only.
    """

    labels: tuple[str, ...]
    kind: Kind = "single-label"
    none_label: str | None = None

    @cached_property
    def tree(self) -> LabelTree:
        """The classes as leaves; of a hierarchy."""
        return LabelTree(self.labels)

    def unknown(self, labels: Iterable[str]) -> list[str]:
        """Those of `labels`, each of one class, that name no class and no node; sorted."""
        if self.kind == "hierarchy":
            return sorted(label for label in set(labels) if label not in self.tree)
        return sorted(set(labels) - {*self.labels, self.none_label})

    def truth(self, labels: Iterable[str]) -> NDArray[Any]:
        """What is true of clips with these labels, all of them known.

        Returns:
            (N,) int64, the class of each; for a multi-label scheme (N,K) float32, 1 for the classes
            of each; for a hierarchy (N,K) float32, 1 for the leaves that each may be of.
        """
        texts = list(labels)
        if self.kind == "single-label":
            index = {label: place for place, label in enumerate(self.labels)}
            return np.array([index[text] for text in texts], np.int64)
        rows = {text: self._row(text) for text in set(texts)}
        return np.array([rows[text] for text in texts], np.float32).reshape(-1, len(self.labels))

    def _row(self, text: str) -> NDArray[np.float32]:
        row = np.zeros(len(self.labels), np.float32)
        if self.kind == "hierarchy":
            row[self.tree.leaves_below(text)] = 1
        else:
            named = set(labels_in(text)) - {self.none_label}
            row[[self.labels.index(name) for name in named]] = 1
        return row


def resolved_task(manifest: Manifest, task: TaskConfig) -> TaskConfig:
    """The task with its kind said: `auto` becomes what the labels of the clips call for.

    Raises:
        ManifestError: clips have several labels, which the task has no use for; or the clips of
            none of the classes have a class.
        ConfigError: no clip has the label `none_label`; or `unknown` is for another kind of task.
    """
    kind = task.kind
    if kind == "auto":
        several = manifest.multi_label or task.none_label is not None
        kind = "multi-label" if several else "single-label"
    if kind != "multi-label":
        require_single_labels(manifest.table)
    # Built anew, so that what does not fit the kind is refused.
    resolved = TaskConfig.checked(**(task.model_dump() | {"kind": kind}))
    if task.none_label is not None:
        _check_none_label(manifest, task.none_label)
    label_scheme(manifest, resolved)
    return resolved


def label_scheme(manifest: Manifest, task: TaskConfig) -> LabelScheme:
    """The classes among the labels of these clips, for a task whose kind is said.

    Raises:
        ManifestError: the labels are no tree; or there is nothing but clips of none of the classes.
    """
    if task.kind == "hierarchy":
        tree = LabelTree.of(manifest.labels)
        return LabelScheme(tree.leaves, "hierarchy")
    labels = tuple(label for label in manifest.labels if label != task.none_label)
    if not labels:
        raise ManifestError(
            f"all clips are of {task.none_label!r}, none of the classes: there is nothing to learn."
        )
    if task.kind == "multi-label":
        return LabelScheme(labels, "multi-label", task.none_label)
    return LabelScheme(labels)


def task_notes(manifest: Manifest, task: TaskConfig) -> tuple[str, ...]:
    """What to say of a task whose kind is said, as sentences; none of a single-label one."""
    if task.kind == "multi-label":
        several = sum(len(labels_in(label)) > 1 for label in manifest.table["label"])
        none = (manifest.table["label"] == task.none_label).sum() if task.none_label else 0
        more = f", {none} of none of the classes ({task.none_label!r})" if none else ""
        return (f"a multi-label classifier: {several} of {counted(len(manifest), 'clip')} have "
                f"several labels{more}",)  # fmt: skip
    if task.kind == "hierarchy":
        tree = label_scheme(manifest, task).tree
        coarse = sum(label not in tree.leaves for label in manifest.table["label"])
        more = f"; {counted(coarse, 'clip')} labelled with a parent only" if coarse else ""
        return (f"a hierarchy of {tree.depth} levels with {len(tree.leaves)} leaves{more}",)
    return ()


def _check_none_label(manifest: Manifest, none_label: str) -> None:
    names = manifest.labels
    if none_label not in names:
        raise ConfigError(
            f"none_label={none_label!r} is the label of no clip. Labels: {listed(quoted(names))}."
        )
    both = [
        label
        for label in manifest.table["label"].unique().sort()
        if none_label in labels_in(label) and len(labels_in(label)) > 1
    ]
    if both:
        raise ManifestError(
            f"clips of none of the classes ({none_label!r}) have no class beside it; received: "
            f"{listed(quoted(both))}."
        )
