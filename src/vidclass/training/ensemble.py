"""The heads of a run, one or more for each view; their probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.tasks.base import LabelTask
from vidclass.training.data import AnyExamples
from vidclass.training.fit import FittedHead, fit_head
from vidclass.training.head_selection import HeadChoice, choose_head
from vidclass.training.logistic import fit_exactly
from vidclass.training.presets import training_of
from vidclass.training.views import SeenClips
from vidclass.types import Progress, no_progress, part_of


@dataclass(frozen=True)
class Member:
    """A trained head.

    Attributes:
        view: Which view it belongs to.
        head: Its name.
        fitted: The model.
    """

    view: int
    head: str
    fitted: FittedHead


@dataclass(frozen=True)
class FittedMembers:
    """All heads of a run.

    Attributes:
        members: At least one.
        choices: How the heads of each view were chosen.
    """

    members: list[Member]
    choices: list[HeadChoice]

    @property
    def validation(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """True classes of the validation clips and their mean probabilities before the refit."""
        held = [member.fitted.validation for member in self.members]
        found = [one for one in held if one is not None]
        if not found:
            return None
        return found[0][0], np.asarray(np.mean([each for _, each in found], axis=0))

    def probabilities(
        self, seen: Sequence[SeenClips], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Mean probabilities (len(rows), K) over heads, views and mirror images."""
        found = []
        for member in self.members:
            view = seen[member.view]
            found.append(member.fitted.probabilities(view.plain.at(rows)))
            if view.mirrored is not None:
                image = member.fitted.probabilities(view.mirrored.at(rows))
                found.append(image[:, view.swap])
        return np.asarray(np.mean(found, axis=0))


def fit_members(
    seen: Sequence[SeenClips],
    clips: Manifest,
    config: RunConfig,
    *,
    training: NDArray[np.int64],
    validation: NDArray[np.int64] | None,
    task: LabelTask,
    progress: Progress = no_progress,
) -> FittedMembers:
    """Choose and train the heads of every view.

    Args:
        seen: The clips, view by view.
        clips: The same clips, with their groups.
        config: How.
        training: The rows to learn from.
        validation: The rows that decide which epoch is best; None where there are none.
        task: Label task.
        progress: Told of the stages `compare`, `train` and `refit`.
    """
    known = training if validation is None else np.concatenate([training, validation])
    part = Manifest(clips.table[known.tolist()])
    members, choices = [], []
    for place, view in enumerate(seen):
        tell = part_of(progress, place, len(seen))
        choice = choose_head(part, view.plain.at(known), config, task=task, progress=tell)
        choices.append(choice)
        for head in choice.heads:
            fitted = fit(
                head,
                view.to_learn_from(training),
                config,
                task=task,
                validation=None if validation is None else view.plain.at(validation),
                progress=tell,
            )
            members.append(Member(place, head, fitted))
    return FittedMembers(members, choices)


def solves(config: RunConfig) -> bool:
    """Whether linear heads are solved: nothing was said of how to train them."""
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
    """One head: solved exactly where it is linear and nothing was said of how to train it.

    Raises:
        ConfigError: there is no such head.
    """
    if task.targets_are_indices and solves(config):
        solved = fit_exactly(head, training, task=task, validation=validation)
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
