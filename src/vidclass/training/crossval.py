"""Cross-validation over folds that share no group, with one seed or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.features.extract import Extraction
from vidclass.tasks.base import LabelTask
from vidclass.tasks.metrics import Metrics
from vidclass.training.ensemble import fit_ensemble
from vidclass.training.examples import keeps_clips, readable_clips
from vidclass.training.head_selection import HeadChoice
from vidclass.training.holdout import ClipGroups
from vidclass.training.out_of_fold import FoldResult, OutOfFold
from vidclass.training.views import (
    ViewExamples,
    extract_views,
    prepare_clips,
    view_examples,
    view_extractors,
)
from vidclass.types import Progress, no_progress, part_of

SCHEMA = 1


@dataclass(frozen=True)
class CrossValidation:
    """Metrics of every fold, and of all out-of-fold predictions together.

    Attributes:
        config: Settings of the run.
        folds: Result of each fold.
        pooled: Metrics over all clips, each predicted by heads trained on the other folds.
        extraction: The features, with the ledger.
        notes: Sentences for the user.
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
        """Return the stable JSON shape."""
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
    """Train on all folds but one and test on that one, for each fold.

    Folds of the manifest are used if it has any.  Inside a fold, the heads and the best epoch are
    chosen on the fold's training clips alone.

    Args:
        manifest: The clips.
        config: Settings of the run.
        folds: Number of folds, if the manifest has none.
        store_folder: Folder of the feature store; None for the default one.
        progress: Callback; reports the stages of extraction, `compare` and `folds`.
        strict: Stop at the first clip that cannot be read.
        retry_failed: Try clips again that failed before.
        on_fold: Callback for the result of each fold.

    Raises:
        SplitError: There are too few groups for so many folds.
        LeakError: The given folds have a group, or the same content, on two sides.
        JobFailedError: No clip could be read.
        StoppedError: A video cannot be read, and `strict` is set.
    """
    execution = ExecutionOptions(store_folder, progress, strict, retry_failed)
    clips, task = prepare_clips(manifest, config)
    assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
    extractors = view_extractors(clips, config, progress=progress)
    views = extract_views(clips, extractors, execution)
    extraction = views[0].plain
    if not keeps_clips(extraction, config.split):
        clips = readable_clips(extraction, config.split)
        assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
        task = task.with_labels(clips.labels)  # a class without readable clips is in no score
    examples = view_examples(views, task, config)
    groups = ClipGroups.from_table(clips.table, clips.group_ids)
    out_of_fold = OutOfFold(task, examples[0].plain.targets)
    results: list[FoldResult] = []
    fold_notes: list[str] = []
    for number in np.unique(assigned).tolist():
        inside = assigned == number
        report = _progress_of_fold(progress, len(results), len(np.unique(assigned)))
        fold = _fit_fold(examples, groups, inside, config, task=task, progress=report)
        fold_notes += [f"fold {number}: {note}" for note in fold.notes]
        results.append(
            out_of_fold.add(number, inside, fold.task, fold.probabilities, choices=fold.choices)
        )
        if on_fold is not None:
            on_fold(results[-1])
    failures = extraction.failure_counts()
    notes = (*clips.notes, *extraction.notes, *examples[0].plain.notes, *failures.notes())
    return CrossValidation(
        config,
        results,
        out_of_fold.pooled(failures.as_metrics()),
        extraction,
        (*notes, *task.notes(groups.labels), *fold_notes),
    )


@dataclass(frozen=True)
class _FittedFold:
    """Heads of a fold: their probabilities of its clips, calibrated task, choices and notes."""

    probabilities: NDArray[np.float64]
    task: LabelTask
    choices: tuple[HeadChoice, ...]
    notes: tuple[str, ...]


def _fit_fold(
    views: Sequence[ViewExamples],
    clips: ClipGroups,
    inside: NDArray[np.bool_],
    config: RunConfig,
    *,
    task: LabelTask,
    progress: Progress,
) -> _FittedFold:
    """Train on the clips outside a fold, and predict those inside."""
    training, validation = clips.hold_out(np.flatnonzero(~inside), config)
    fitted = fit_ensemble(
        views,
        clips,
        config,
        training=training,
        validation=validation,
        task=task,
        progress=progress,
    )
    calibrated, notes = task.calibrated(fitted.validation, config.task)
    choices = tuple(fitted.choices) if config.compares_heads else ()
    probabilities = fitted.probabilities(views, np.flatnonzero(inside))
    return _FittedFold(probabilities, calibrated, choices, notes)


def _progress_of_fold(progress: Progress, index: int, folds: int) -> Progress:
    """Report training inside a fold as stage `folds`, and the comparison of heads as its own."""
    fold = part_of(progress, index, folds)

    def report(stage: str, done: int, total: int) -> None:
        if stage in ("train", "compare"):
            fold("folds" if stage == "train" else stage, done, total)

    return report


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
