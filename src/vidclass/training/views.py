"""Clips as the networks of a run see them: one view for each feature setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.config import FeatureConfig, RunConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, require_choice
from vidclass.features.extract import Extraction, extract_all
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.features.store.stored_clips import MEMORY_VARIABLE
from vidclass.tasks.base import LabelTask
from vidclass.training.data import AnyExamples, Examples
from vidclass.training.examples import examples
from vidclass.types import Progress


@dataclass(frozen=True)
class View:
    """The clips under one feature setting.

    Attributes:
        extractor: What made their features.
        extraction: The features.
        mirror_extractor: What made those of their mirror images, where a run flips.
        mirrored: The features of their mirror images.
    """

    extractor: FeatureExtractor
    extraction: Extraction
    mirror_extractor: FeatureExtractor | None = None
    mirrored: Extraction | None = None


@dataclass(frozen=True)
class SeenClips:
    """A view as arrays, row by row the readable clips.

    Attributes:
        plain: The clips.
        mirrored: Their mirror images, with the labels that those have; None without flips.
        swap: (K,) the class that the mirror image of each class has.
    """

    plain: AnyExamples
    mirrored: AnyExamples | None
    swap: NDArray[np.int64]

    def to_learn_from(self, rows: NDArray[np.int64]) -> AnyExamples:
        """The clips in some rows, with their mirror images.

        Raises:
            ConfigError: there are mirror images, and the clips do not fit into memory.
        """
        if self.mirrored is None:
            return self.plain.at(rows)
        if not (isinstance(self.plain, Examples) and isinstance(self.mirrored, Examples)):
            raise ConfigError(
                f"flip=True: the features of {len(self.plain)} clips and of their mirror images do "
                f"not fit into {MEMORY_VARIABLE}: raise it, or leave flips out."
            )
        return self.plain.at(rows).joined(self.mirrored.at(rows))


def see(
    manifest: Manifest,
    config: RunConfig,
    *,
    task: LabelTask,
    store_folder: Path | None,
    progress: Progress,
    strict: bool,
    retry_failed: bool,
) -> list[View]:
    """Extract what every view of a run needs, mirror images included.

    Raises:
        ConfigError, WeightsError, StoreError, StoppedError: as `feature_extractor` and `extract`.
    """
    # Refuse before the work.
    swapped_classes(task.labels, config.swap_labels)
    plain = [feature_extractor(view, manifest, progress=progress) for view in config.views]
    flipped = [
        feature_extractor(mirror_image(view), manifest, progress=progress)
        for view in config.views
        if config.flip
    ]
    found = extract_all(
        manifest,
        [*plain, *flipped],
        ExecutionOptions(store_folder, progress, strict, retry_failed),
    )
    return [
        View(extractor, found[place], flipped[place], found[len(plain) + place])
        if flipped
        else View(extractor, found[place])
        for place, extractor in enumerate(plain)
    ]


def seen_clips(views: Sequence[View], task: LabelTask, config: RunConfig) -> list[SeenClips]:
    """The readable clips as arrays, view by view."""
    swap = swapped_classes(task.labels, config.swap_labels)
    seen = []
    for view in views:
        steps = view.extractor.steps
        plain, mirrored = examples(view.extraction, task, steps), None
        if view.mirrored is not None:
            images = examples(view.mirrored, task, steps)
            rows = images.targets
            mirrored = replace(images, targets=swap[rows] if rows.ndim == 1 else rows[:, swap])
        seen.append(SeenClips(plain, mirrored, swap))
    return seen


def mirror_image(config: FeatureConfig) -> FeatureConfig:
    """The same setting with left and right exchanged."""
    geometry = config.geometry.model_copy(update={"mirror": not config.geometry.mirror})
    return config.model_copy(update={"geometry": geometry})


def swapped_classes(labels: Sequence[str], swap: Mapping[str, str]) -> NDArray[np.int64]:
    """Return the class of the mirror image of each class, (K,).

    >>> swapped_classes(["left", "right", "wave"], {"left": "right"}).tolist()
    [1, 0, 2]

    Raises:
        ConfigError: A label to swap is not one of `labels`.
    """
    classes = np.arange(len(labels))
    for one, other in swap.items():
        for label in (one, other):
            require_choice("label in swap_labels", label, labels)
        first, second = labels.index(one), labels.index(other)
        classes[first], classes[second] = second, first
    return classes
