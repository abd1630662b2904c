"""Cross-validation over folds that share no group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.features.extract import Extraction
from vidclass.features.near_duplicates import assign_groups
from vidclass.tasks.base import LabelTask
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.resolve import resolve_task
from vidclass.training.ensemble import FittedMembers, fit_members
from vidclass.training.examples import grouped_manifest
from vidclass.training.head_selection import require_head_for
from vidclass.training.holdout import spare_validation
from vidclass.training.out_of_fold import FoldResult, OutOfFold
from vidclass.training.views import SeenClips, see, seen_clips
from vidclass.types import Progress, no_progress, part_of

SCHEMA = 1


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
        return float(np.mean([fold.metrics.accuracy for fold in self.folds]))

    @property
    def accuracy_std(self) -> float:
        """Standard deviation of the folds' accuracies."""
        return float(np.std([fold.metrics.accuracy for fold in self.folds]))

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
            **self.pooled.pooled_json([fold.metrics for fold in self.folds]),
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
    task = resolve_task(manifest, config.task)
    require_head_for(config.head, task)
    manifest = assign_groups(manifest, config.split)
    fold_assignments(manifest, folds=folds, seed=config.training.seed)  # refuse before the work
    views = see(
        manifest,
        config,
        task=task,
        store_folder=store_folder,
        progress=progress,
        strict=strict,
        retry_failed=retry_failed,
    )
    extraction = views[0].extraction
    clips = grouped_manifest(extraction, config.split)
    task = task.with_labels(clips.labels)  # a class without readable clips is in no score
    seen = seen_clips(views, task, config)
    assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
    numbers = sorted(set(assigned.tolist()))
    out_of_fold = OutOfFold(task, seen[0].plain.targets)
    results = []
    notes: list[str] = []
    for number in numbers:
        inside = assigned == number
        told = _fold_progress(progress, number, numbers)
        fitted = _fit_fold(clips, seen, inside, config, task, told)
        calibrated, fold_notes = task.calibrated(fitted.validation, config.task)
        notes += [f"fold {number}: {note}" for note in fold_notes]
        probabilities = fitted.probabilities(seen, np.flatnonzero(inside))
        choices = tuple(fitted.choices) if config.compares_heads else ()
        results.append(
            out_of_fold.add(int(number), inside, calibrated, probabilities, choices=choices)
        )
        if on_fold is not None:
            on_fold(results[-1])
    task_notes = task.notes(clips.table["label"].to_list())
    return CrossValidation(
        config,
        results,
        out_of_fold.pooled(extraction.failure_counts().as_metrics()),
        extraction,
        (*clips.notes, *extraction.notes, *seen[0].plain.notes,
         *extraction.failure_counts().notes(), *task_notes, *notes),
    )  # fmt: skip


def _fit_fold(
    clips: Manifest,
    seen: Sequence[SeenClips],
    inside: NDArray[np.bool_],
    config: RunConfig,
    task: LabelTask,
    progress: Progress,
) -> FittedMembers:
    """Heads that have learned from the clips outside a fold."""
    training, validation = spare_validation(clips, np.flatnonzero(~inside), config)
    return fit_members(
        seen, clips, config,
        training=training, validation=validation, task=task, progress=progress,
    )  # fmt: skip


def _fold_progress(progress: Progress, number: int, numbers: list[int]) -> Progress:
    """Of the stages inside a fold, the training counts; comparing heads has a bar of its own."""
    fold = part_of(progress, numbers.index(number), len(numbers))

    def tell(stage: str, done: int, total: int) -> None:
        if stage in ("train", "compare"):
            fold("folds" if stage == "train" else stage, done, total)

    return tell


@dataclass(frozen=True)
class SeedsResult:
    """Cross-validations of the same clips with several seeds.

    Attributes:
        runs: Their results, in the order of the seeds.
    """

    runs: list[CrossValidation]

    @property
    def accuracy_mean(self) -> float:
        """Mean over the seeds of the mean over the folds."""
        return float(np.mean([run.accuracy_mean for run in self.runs]))

    @property
    def std_over_seeds(self) -> float:
        """Standard deviation over the seeds of the mean over the folds."""
        return float(np.std([run.accuracy_mean for run in self.runs]))

    @property
    def std_over_folds(self) -> float:
        """Standard deviation over the folds, averaged over the seeds."""
        return float(np.mean([run.accuracy_std for run in self.runs]))

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of all out-of-fold predictions, averaged over the seeds.

        All seeds predict the same clips, so more seeds do not make it narrower.
        """
        low, high = np.mean([run.pooled.accuracy_interval for run in self.runs], axis=0)
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of the first seed's cross-validation, with statistics over all seeds."""
        return {
            **self.runs[0].to_json(),
            "seeds": [
                {
                    "seed": run.config.training.seed,
                    "accuracy_mean": run.accuracy_mean,
                    "accuracy_std": run.accuracy_std,
                    "macro_f1": run.pooled.macro_f1,
                }
                for run in self.runs
            ],
            "over_seeds": {
                "accuracy_mean": self.accuracy_mean,
                "accuracy_std": self.std_over_seeds,
                "accuracy_std_over_folds": self.std_over_folds,
                "accuracy_interval": list(self.accuracy_interval),
            },
        }


def cross_validate_seeds(
    manifest: Manifest,
    config: RunConfig,
    *,
    seeds: int,
    progress: Progress = no_progress,
    validate: Callable[..., CrossValidation] = cross_validate,
    **options: Any,
) -> SeedsResult:
    """Cross-validate with the seeds `config.training.seed`, the next one, and so on.

    If the manifest has no folds, each seed draws its own.  Features are extracted once.

    Args:
        manifest: The clips.
        config: Settings of the run.
        seeds: Number of seeds.
        progress: Callback; reports the stages of `cross_validate`, `folds` over all seeds.
        validate: Function that cross-validates with one seed.
        options: Further arguments of `validate`.

    Raises:
        VidclassError: See `cross_validate`.
    """
    runs = []
    for number in range(seeds):
        seed = config.training.seed + number
        training = config.training.model_copy(update={"seed": seed})
        runs.append(
            validate(
                manifest,
                config.model_copy(update={"training": training}),
                progress=_progress_of_seed(progress, number, seeds),
                **options,
            )
        )
    return SeedsResult(runs)


def _progress_of_seed(progress: Progress, number: int, seeds: int) -> Progress:
    def report(stage: str, done: int, total: int) -> None:
        if stage == "folds":
            progress(stage, number * total + done, seeds * total)
        else:
            progress(stage, done, total)

    return report
