"""Cross-validation over folds that share no group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.checks import refuse_several_labels
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.evaluation.metrics import Metrics, compute_metrics
from vidclass.features.extract import Extraction
from vidclass.features.grouping import regrouped
from vidclass.training.auto import HeadChoice
from vidclass.training.examples import grouped_manifest
from vidclass.training.members import fit_members
from vidclass.training.spare import spare_validation
from vidclass.training.views import SeenClips, see, seen_clips
from vidclass.types import Progress, no_progress, one_of

SCHEMA = 1


@dataclass(frozen=True)
class FoldResult:
    """How well a head trained on the other folds does on this one.

    Attributes:
        fold: Its number.
        accuracy: Share of its clips named rightly.
        videos: How many clips it has.
        choices: How the head of each view was chosen, on the other folds.
    """

    fold: int
    accuracy: float
    videos: int
    choices: tuple[HeadChoice, ...] = ()

    @property
    def heads(self) -> str:
        """The heads that were chosen, view by view."""
        return ", ".join(choice.name for choice in self.choices)

    def to_json(self) -> dict[str, Any]:
        """The stable JSON shape."""
        facts = {"fold": self.fold, "accuracy": self.accuracy, "videos": self.videos}
        return facts | ({"heads": self.heads} if self.choices else {})


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
            "folds": [fold.to_json() for fold in self.folds],
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
    the head and the best epoch, is chosen on the fold's training clips alone.

    Args:
        manifest: The clips.
        config: What is tried.
        folds: How many, where the manifest has none.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of the stages of extraction, and of `folds`.
        strict: Stop at the first clip that cannot be read.
        retry_failed: Try clips again that failed before.
        on_fold: Told of each fold as it is done.

    Raises:
        SplitError: there are too few groups for so many folds.
        LeakError: the given folds have a group, or the same content, on two sides.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    refuse_several_labels(manifest.table)
    manifest = regrouped(manifest, config.split)
    fold_assignments(manifest, folds=folds, seed=config.training.seed)  # refuse before the work
    views = see(
        manifest,
        config,
        store_folder=store_folder,
        progress=progress,
        strict=strict,
        retry_failed=retry_failed,
    )
    extraction = views[0].extraction
    clips = grouped_manifest(extraction, config.split)
    labels = clips.labels  # a class of which nothing can be read is in no score
    seen = seen_clips(views, labels, config)
    truth = seen[0].plain.truth
    assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
    numbers = sorted(set(assigned.tolist()))
    probabilities = np.zeros((len(truth), len(labels)))
    results = []
    for number in numbers:
        inside = assigned == number
        probabilities[inside], choices = _predict_fold(
            clips, seen, inside, config, _fold_progress(progress, number, numbers)
        )
        right = probabilities[inside].argmax(1) == truth[inside]
        results.append(FoldResult(int(number), float(right.mean()), int(inside.sum()), choices))
        if on_fold is not None:
            on_fold(results[-1])
    return CrossValidation(
        config,
        results,
        compute_metrics(probabilities, truth, labels, **extraction.lost().counts()),
        extraction,
        (*clips.notes, *extraction.notes, *seen[0].plain.notes, *extraction.lost().notes()),
    )


def _predict_fold(
    clips: Manifest,
    seen: Sequence[SeenClips],
    inside: NDArray[np.bool_],
    config: RunConfig,
    progress: Progress,
) -> tuple[NDArray[np.float64], tuple[HeadChoice, ...]]:
    """Probabilities of the clips inside a fold, by heads that learned from the others."""
    training, validation = spare_validation(clips, np.flatnonzero(~inside), config)
    fitted = fit_members(
        seen, clips, config, training=training, validation=validation, progress=progress
    )
    found = fitted.probabilities(seen, np.flatnonzero(inside))
    return found, tuple(fitted.choices) if config.compares_heads else ()


def _fold_progress(progress: Progress, number: int, numbers: list[int]) -> Progress:
    """Of the stages inside a fold, the training counts; comparing heads has a bar of its own."""
    fold = one_of(progress, numbers.index(number), len(numbers))

    def tell(stage: str, done: int, total: int) -> None:
        if stage in ("train", "compare"):
            fold("folds" if stage == "train" else stage, done, total)

    return tell
