"""Cross-validation over folds that share no group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.checks import refuse_several_labels
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments, split_clips
from vidclass.errors import SplitError
from vidclass.evaluation.metrics import Metrics, compute_metrics
from vidclass.features.extract import Extraction, extract
from vidclass.features.grouping import regrouped
from vidclass.features.networks import feature_maker
from vidclass.training.examples import examples, grouped_manifest
from vidclass.training.fit import Examples, fit_head
from vidclass.types import Progress, no_progress

SCHEMA = 1


@dataclass(frozen=True)
class FoldResult:
    """How well a head trained on the other folds does on this one."""

    fold: int
    accuracy: float
    videos: int


@dataclass(frozen=True)
class CrossValidation:
    """The folds, and all their held-out predictions taken together.

    Attributes:
        config: What was tried.
        folds: One result a fold.
        pooled: Metrics over every clip, each predicted by the head that had not seen it.
        extraction: The features behind it, with the ledger.
        notes: What the user should know, as sentences.
    """

    config: RunConfig
    folds: list[FoldResult]
    pooled: Metrics
    extraction: Extraction
    notes: tuple[str, ...]

    @property
    def accuracy_mean(self) -> float:
        """Mean of the folds' accuracies."""
        return float(np.mean([fold.accuracy for fold in self.folds]))

    @property
    def accuracy_std(self) -> float:
        """Standard deviation of the folds' accuracies."""
        return float(np.std([fold.accuracy for fold in self.folds]))

    def to_json(self) -> dict[str, Any]:
        """The stable JSON shape."""
        return {
            "schema": SCHEMA,
            "accuracy_mean": self.accuracy_mean,
            "accuracy_std": self.accuracy_std,
            "folds": [fold.__dict__ for fold in self.folds],
            "head": self.config.head,
            "backbone": self.config.features.backbone,
            "seed": self.config.training.seed,
            "videos": self.pooled.videos,
            "failed": self.pooled.failed,
            "failed_by_class": self.pooled.failed_by_class,
            "macro_f1": self.pooled.macro_f1,
            "labels": self.pooled.labels,
            "confusion": self.pooled.confusion,
            "config": self.config.model_dump(mode="json"),
        }


def cross_validate(
    manifest: Manifest,
    config: RunConfig,
    *,
    folds: int = 5,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
    on_fold: Callable[[FoldResult], None] | None = None,
) -> CrossValidation:
    """Train on all folds but one and test on that one, for each.

    The manifest's own folds are used where it has them.  What is chosen inside a fold, such as
    the best epoch, is chosen on a validation part of the fold's training clips.  `on_fold` is told
    of each fold as it is done; what it raises ends the work.

    Raises:
        SplitError: there are too few groups for so many folds.
        LeakError: the given folds have a group, or the same content, on two sides.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    refuse_several_labels(manifest.table)
    manifest = regrouped(manifest, config.split)
    fold_assignments(manifest, folds=folds, seed=config.training.seed)  # refuse before the work
    maker = feature_maker(config.features, manifest, progress=progress)
    extraction = extract(
        manifest,
        maker,
        store_folder=store_folder,
        progress=progress,
        strict=strict,
        retry_failed=retry_failed,
    )
    clips = grouped_manifest(extraction, config.split)
    labels = clips.labels  # a class of which nothing can be read is in no score
    data = examples(extraction, labels, config.features.sampling.total_frames)
    assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
    numbers = sorted(set(assigned.tolist()))
    probabilities = np.zeros((len(data), len(labels)))
    results = []
    for number in numbers:
        inside = assigned == number
        probabilities[inside] = _predict_fold(
            clips, data, inside, config, _fold_progress(progress, number, numbers)
        )
        right = probabilities[inside].argmax(1) == data.truth[inside]
        results.append(FoldResult(int(number), float(right.mean()), int(inside.sum())))
        if on_fold is not None:
            on_fold(results[-1])
    return CrossValidation(
        config,
        results,
        compute_metrics(probabilities, data.truth, labels, **extraction.lost().counts()),
        extraction,
        (*clips.notes, *extraction.notes, *extraction.lost().notes()),
    )


def _predict_fold(
    clips: Manifest,
    data: Examples,
    inside: NDArray[np.bool_],
    config: RunConfig,
    progress: Progress,
) -> NDArray[np.float64]:
    """Probabilities of the clips inside a fold, by a head that learned from the others."""
    outside = np.flatnonzero(~inside)
    training, validation = _training_parts(clips, outside, config)
    fitted = fit_head(
        config.head,
        data.at(training),
        config.training,
        classes=len(clips.labels),
        validation=None if validation is None else data.at(validation),
        progress=progress,
    )
    return fitted.probabilities(data.at(np.flatnonzero(inside)))


def _training_parts(
    clips: Manifest, outside: NDArray[np.int64], config: RunConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Rows to learn from and rows to validate on; all and None where no group can be spared."""
    part = Manifest(clips.table[outside.tolist()]).with_splits([None] * len(outside))
    try:
        split = split_clips(
            part,
            test_fraction=0.0,
            validation_fraction=config.split.validation_fraction,
            seed=config.training.seed,
            allow_leak=config.split.allow_leak,
        )
    except SplitError:
        return outside, None
    names = np.array(split.table["split"].to_list())
    return outside[names == "train"], outside[names == "validation"]


def _fold_progress(progress: Progress, number: int, numbers: list[int]) -> Progress:
    position = numbers.index(number)

    def tell(stage: str, done: int, total: int) -> None:
        if stage == "train":
            progress("folds", position * total + done, len(numbers) * total)

    return tell
