"""Views of a run: the clips under each of its feature settings, with their mirror images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.config import FeatureConfig, RunConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, require_choice
from vidclass.features.extract import Extraction, extract_all
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.features.near_duplicates import assign_groups
from vidclass.features.store.stored_clips import MEMORY_VARIABLE
from vidclass.tasks.base import LabelTask
from vidclass.tasks.resolve import resolve_task
from vidclass.training.examples import AnyExamples, Examples, load_examples
from vidclass.training.head_selection import require_heads
from vidclass.types import Progress


@dataclass(frozen=True)
class ViewExtractors:
    """Feature extractors of one view.

    Attributes:
        plain: Extractor of the clips.
        mirror: Extractor of their mirror images; None without flips.
    """

    plain: FeatureExtractor
    mirror: FeatureExtractor | None = None


@dataclass(frozen=True)
class View:
    """Extracted clips of one view.

    Attributes:
        extractors: Extractors of their features.
        plain: Features of the clips.
        mirrored: Features of their mirror images; None without flips.
    """

    extractors: ViewExtractors
    plain: Extraction
    mirrored: Extraction | None = None


@dataclass(frozen=True)
class ViewExamples:
    """Readable clips of one view, in the same order for all views.

    Attributes:
        plain: The clips.
        mirrored: Their mirror images, with the targets of these; None without flips.
        swap: Class of the mirror image of each class, (K,).
    """

    plain: AnyExamples
    mirrored: AnyExamples | None
    swap: NDArray[np.int64]

    def training(self, rows: NDArray[np.int64]) -> AnyExamples:
        """Return the clips in some rows, followed by their mirror images.

        Raises:
            ConfigError: There are mirror images, and the clips do not fit into memory.
        """
        if self.mirrored is None:
            return self.plain.at(rows)
        if not (isinstance(self.plain, Examples) and isinstance(self.mirrored, Examples)):
            raise ConfigError(
                f"flip=True: the features of {len(self.plain)} clips and of their mirror images do "
                f"not fit into {MEMORY_VARIABLE}: raise it, or leave flips out."
            )
        return self.plain.at(rows).joined(self.mirrored.at(rows))


def prepare_clips(manifest: Manifest, config: RunConfig) -> tuple[Manifest, LabelTask]:
    """Return the clips with their groups, and their label task.

    The settings that depend on the labels are validated.

    Raises:
        ConfigError: A head or a setting is not for these labels.
        ManifestError: The labels are not for the task, or no clip gets a group.
    """
    manifest = assign_groups(manifest, config.split)
    task = resolve_task(manifest, config.task)
    require_heads(config, task)
    require_labels_to_swap(config.swap_labels, task.labels)
    return manifest, task


def view_extractors(
    manifest: Manifest, config: RunConfig, *, progress: Progress
) -> list[ViewExtractors]:
    """Return the extractors of every view; networks are opened only when needed.

    Args:
        manifest: Clips; networks in int8 are calibrated on them.
        config: Settings of the run.
        progress: Callback; reports stages `hash`, `calibrate` and `quantize`, in int8 alone.

    Raises:
        ConfigError, WeightsError, RuntimeRouteError: As `feature_extractor`.
    """
    return [
        ViewExtractors(
            feature_extractor(view, manifest, progress=progress),
            feature_extractor(mirror_image(view), manifest, progress=progress)
            if config.flip
            else None,
        )
        for view in config.views
    ]


def extract_views(
    manifest: Manifest, extractors: Sequence[ViewExtractors], execution: ExecutionOptions
) -> list[View]:
    """Extract the features of every view; a clip that fails in one fails in all.

    Raises:
        StoppedError, StoreError, WeightsError: As `extract`.
    """
    mirrors = [each.mirror for each in extractors if each.mirror is not None]
    extractions = extract_all(manifest, [*(each.plain for each in extractors), *mirrors], execution)
    plain, mirrored = extractions[: len(extractors)], extractions[len(extractors) :]
    if not mirrors:
        return [View(*pair) for pair in zip(extractors, plain, strict=True)]
    return [View(*triple) for triple in zip(extractors, plain, mirrored, strict=True)]


def view_examples(views: Iterable[View], task: LabelTask, config: RunConfig) -> list[ViewExamples]:
    """Return the readable clips of every view, with their targets."""
    swap = swapped_classes(task.labels, config.swap_labels)
    examples = []
    for view in views:
        steps, mirrored = view.extractors.plain.steps, None
        if view.mirrored is not None:
            mirrored = load_examples(view.mirrored, task, steps)
            targets = mirrored.targets
            swapped = swap[targets] if targets.ndim == 1 else targets[:, swap]
            mirrored = replace(mirrored, targets=swapped)
        examples.append(ViewExamples(load_examples(view.plain, task, steps), mirrored, swap))
    return examples


def mirror_image(config: FeatureConfig) -> FeatureConfig:
    """Return the settings with left and right exchanged."""
    geometry = config.geometry.model_copy(update={"mirror": not config.geometry.mirror})
    return config.model_copy(update={"geometry": geometry})


def require_labels_to_swap(swap: Mapping[str, str], labels: Sequence[str]) -> None:
    """Require that every label to swap is one of `labels`.

    Raises:
        ConfigError: One is not; the message names the nearest.
    """
    for label in (*swap, *swap.values()):
        require_choice("label in swap_labels", label, labels)


def swapped_classes(labels: Sequence[str], swap: Mapping[str, str]) -> NDArray[np.int64]:
    """Return the class of the mirror image of each class, (K,).

    >>> swapped_classes(["left", "right", "wave"], {"left": "right"}).tolist()
    [1, 0, 2]

    Raises:
        ConfigError: A label to swap is not one of `labels`.
    """
    require_labels_to_swap(swap, labels)
    classes = np.arange(len(labels))
    for label, other in swap.items():
        first, second = labels.index(label), labels.index(other)
        classes[first], classes[second] = second, first
    return classes
