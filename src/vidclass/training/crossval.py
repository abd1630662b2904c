"""Cross-validation over folds that share no group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.label_scheme import LabelScheme, label_scheme, resolved_task, task_notes
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments, split_clips
from vidclass.errors import SplitError
from vidclass.evaluation.metrics import Metrics
from vidclass.evaluation.multilabel import MultiLabelMetrics
from vidclass.features.extract import Extraction, extract
from vidclass.features.grouping import regrouped
from vidclass.features.networks import feature_maker
from vidclass.training.examples import examples, grouped_manifest
from vidclass.training.fit import Examples, FittedHead, fit_head
from vidclass.training.held_out import FoldResult, HeldOut, further_figures
from vidclass.training.targets import answer_rule, check_head
from vidclass.types import Progress, no_progress

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
            **self._further(),
        }

    def _further(self) -> dict[str, Any]:
        """What only some kinds of classifiers have: nothing of a plain single-label one."""
        found = further_figures(self.pooled)
        if isinstance(self.pooled, MultiLabelMetrics):
            each = [fold.more["mean_average_precision"] for fold in self.folds]
            each = [value for value in each if value is not None]
            found["mean_average_precision_mean"] = float(np.mean(each)) if each else None
            found["mean_average_precision_std"] = float(np.std(each)) if each else None
        if self.pooled.task != "single-label":
            found |= {"task": self.pooled.task, "per_class": self.pooled.to_json()["per_class"]}
        return found


def cross_validate(
    manifest: Manifest,
    config: RunConfig,
    *,
    folds: int = 5,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> CrossValidation:
    """Train on all folds but one and test on that one, for each.

    The manifest's own folds are used where it has them.  What is chosen inside a fold, such as
    the best epoch, is chosen on a validation part of the fold's training clips.

    Raises:
        SplitError: there are too few groups for so many folds.
        LeakError: the given folds have a group, or the same content, on two sides.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    task = resolved_task(manifest, config.task)
    check_head(config.head, task)
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
    scheme = label_scheme(clips, task)  # a class of which nothing can be read is in no score
    data = examples(extraction, scheme, config.features.sampling.total_frames)
    assigned = fold_assignments(clips, folds=folds, seed=config.training.seed)
    numbers = sorted(set(assigned.tolist()))
    held_out = HeldOut(scheme, data.truth)
    results = []
    notes: list[str] = []
    for number in numbers:
        inside = assigned == number
        told = _fold_progress(progress, number, numbers)
        probabilities, fitted = _predict_fold(clips, data, inside, config, scheme, told)
        rule, rule_notes = answer_rule(scheme, fitted.validation, task)
        notes += [f"fold {number}: {note}" for note in rule_notes]
        results.append(held_out.add(int(number), inside, rule, probabilities))
    return CrossValidation(
        config,
        results,
        held_out.pooled(extraction.lost().counts()),
        extraction,
        (*clips.notes, *extraction.notes, *extraction.lost().notes(),
         *task_notes(clips, task), *notes),
    )  # fmt: skip


def _predict_fold(
    clips: Manifest,
    data: Examples,
    inside: NDArray[np.bool_],
    config: RunConfig,
    scheme: LabelScheme,
    progress: Progress,
) -> tuple[NDArray[np.float64], FittedHead]:
    """Probabilities of the clips inside a fold, and the head, which learned from the others."""
    outside = np.flatnonzero(~inside)
    training, validation = _training_parts(clips, outside, config)
    fitted = fit_head(
        config.head,
        data.at(training),
        config.training,
        classes=len(scheme.labels),
        validation=None if validation is None else data.at(validation),
        scheme=scheme,
        progress=progress,
    )
    return fitted.probabilities(data.at(np.flatnonzero(inside))), fitted


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
