"""The heads of a run, one or more for each view, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.tasks.base import LabelTask
from vidclass.training.examples import AnyExamples
from vidclass.training.fit import FittedHead, fit_head
from vidclass.training.head_selection import HeadChoice, choose_head
from vidclass.training.holdout import ClipGroups, Rows
from vidclass.training.logistic import fit_logistic
from vidclass.training.presets import training_of
from vidclass.training.views import ViewExamples
from vidclass.types import Progress, no_progress, part_of


@dataclass(frozen=True)
class EnsembleHead:
    """A trained head of a run.

    Attributes:
        view: Index of its view.
        name: Name of the head.
        fitted: The trained model.
    """

    view: int
    name: str
    fitted: FittedHead

    @property
    def best_epoch(self) -> int | None:
        """Epoch that the weights come from; None for a logistic regression."""
        return None if self.fitted.is_logistic else self.fitted.best_epoch


@dataclass(frozen=True)
class FittedEnsemble:
    """All heads of a run.

    Attributes:
        heads: At least one.
        choices: The chosen heads of each view, and the reasons.
    """

    heads: list[EnsembleHead]
    choices: list[HeadChoice]

    @property
    def best_epoch(self) -> int | None:
        """Epoch that the weights of the first head come from; None for a logistic regression."""
        return self.heads[0].best_epoch

    @property
    def validation(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """Targets of the validation clips, and mean probabilities (V,K) before the refit."""
        measured = [head.fitted.validation for head in self.heads]
        pairs = [pair for pair in measured if pair is not None]
        if not pairs:
            return None
        return pairs[0][0], np.asarray(np.mean([probabilities for _, probabilities in pairs], 0))

    def probabilities(self, views: Sequence[ViewExamples], rows: Rows) -> NDArray[np.float64]:
        """Return mean probabilities (len(rows), K) over heads, views and mirror images."""
        probabilities = []
        for head in self.heads:
            view = views[head.view]
            probabilities.append(head.fitted.probabilities(view.plain.at(rows)))
            if view.mirrored is not None:
                mirrored = head.fitted.probabilities(view.mirrored.at(rows))
                probabilities.append(mirrored[:, view.swap])
        return np.asarray(np.mean(probabilities, axis=0))


def fit_ensemble(
    views: Sequence[ViewExamples],
    clips: ClipGroups,
    config: RunConfig,
    *,
    training: Rows,
    validation: Rows | None,
    task: LabelTask,
    progress: Progress = no_progress,
) -> FittedEnsemble:
    """Choose and train the heads of every view.

    Args:
        views: The clips, view by view.
        clips: Labels and groups of the clips.
        config: Settings of the run.
        training: Rows to train on.
        validation: Rows that decide which epoch is best; None without any.
        task: Label task.
        progress: Callback; reports stages `compare`, `train` and `refit`.
    """
    rows = training if validation is None else np.concatenate([training, validation])
    heads, choices = [], []
    for index, view in enumerate(views):
        report = part_of(progress, index, len(views))
        choice = choose_head(
            clips.at(rows), view.plain.at(rows), config, task=task, progress=report
        )
        choices.append(choice)
        for name in choice.heads:
            fitted = fit(
                name,
                view.training(training),
                config,
                task=task,
                validation=None if validation is None else view.plain.at(validation),
                progress=report,
            )
            heads.append(EnsembleHead(index, name, fitted))
    return FittedEnsemble(heads, choices)


def uses_logistic(config: RunConfig) -> bool:
    """Return whether linear heads are logistic regressions: no training setting but a seed."""
    return not set(config.given) - {"seed"}


def fit(
    head: str,
    training: AnyExamples,
    config: RunConfig,
    *,
    task: LabelTask,
    validation: AnyExamples | None,
    progress: Progress = no_progress,
) -> FittedHead:
    """Train one head; a linear one as a logistic regression, if its training has no settings.

    Raises:
        ConfigError: There is no such head.
    """
    if task.targets_are_indices and uses_logistic(config):
        solved = fit_logistic(head, training, task=task, validation=validation)
        if solved is not None:
            progress("train", 1, 1)
            return solved
    return fit_head(
        head,
        training,
        training_of(config, head),
        task=task,
        validation=validation,
        progress=progress,
    )
