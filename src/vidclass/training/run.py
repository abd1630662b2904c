"""A training run: from labelled clips to a run folder with a bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.execution import ExecutionOptions
from vidclass.bundle.read import Bundle
from vidclass.bundle.write import TrainedHead, write_bundle
from vidclass.config import RunConfig, SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import split_clips, tail_validation
from vidclass.errors import SplitError
from vidclass.tasks.base import LabelTask
from vidclass.tasks.metrics import Metrics
from vidclass.training.ensemble import FittedEnsemble, fit_ensemble
from vidclass.training.examples import keeps_clips, readable_clips
from vidclass.training.holdout import ClipGroups, Rows
from vidclass.training.run_folder import SPLIT, RunResult, RunWriter
from vidclass.training.views import (
    View,
    extract_views,
    prepare_clips,
    swapped_classes,
    view_examples,
    view_extractors,
)
from vidclass.types import Progress, no_progress


def train(
    manifest: Manifest,
    out: str | Path,
    config: RunConfig,
    *,
    store_folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> RunResult:
    """Train a classifier and write everything about it into the folder `out`.

    Everything that can be validated before the work is validated before the folder is made.

    Args:
        manifest: The clips.
        out: The run folder.
        config: Settings of the run.
        store_folder: Folder of the feature store; None for the default one.
        overwrite: Replace the run that the folder holds.
        progress: Callback; reports the stages of extraction, `compare`, `train` and `refit`.
        strict: Stop at the first clip that cannot be read.
        retry_failed: Try clips again that failed before.

    Raises:
        ConfigError: A setting is not for these clips.
        RunError: `out` holds something else, or a finished run and `overwrite` is not set.
        SplitError: No leak-free split can be made.
        LeakError: A given split has a group, or the same content, on two sides.
        JobFailedError: No clip could be read.
        StoppedError: A video cannot be read, and `strict` is set.
    """
    started_s = time.monotonic()
    execution = ExecutionOptions(store_folder, progress, strict, retry_failed)
    writer = RunWriter(Path(out), config)
    writer.require_free(overwrite=overwrite)
    manifest, task = prepare_clips(manifest, config)
    clips = divide(manifest, config.split, seed=config.training.seed)
    extractors = view_extractors(manifest, config, progress=progress)
    writer.begin(overwrite=overwrite)
    views = extract_views(manifest, extractors, execution)
    extraction = views[0].plain
    writer.write_ledger(extraction.failures)
    if not keeps_clips(extraction, config.split):
        clips = readable_clips(extraction, config.split)
        clips = divide(clips, config.split, seed=config.training.seed)
        task = task.with_labels(clips.labels)
    writer.write_table(SPLIT, clips.table)
    rows = rows_by_split(clips.table["split"].to_list())
    examples = view_examples(views, task, config)
    fitted = fit_ensemble(
        examples,
        ClipGroups.from_table(clips.table, clips.group_ids),
        config,
        training=rows["train"],
        validation=rows.get("validation"),
        task=task,
        progress=progress,
    )
    task, calibration_notes = task.calibrated(fitted.validation, config.task)
    _save(writer, views, fitted, task=task, clips=clips.fingerprint, rows=rows)
    result = RunResult(
        writer.folder,
        writer.bundle,
        {name: len(rows) for name, rows in rows.items()},
        _measure(writer.bundle, views, fitted, examples[0].plain.targets, rows.get("test")),
        fitted.best_epoch,
        fitted.choices,
        extraction,
        (
            *clips.notes,
            *extraction.notes,
            *examples[0].plain.notes,
            *extraction.failure_counts().notes(),
            *task.notes(clips.table["label"].to_list()),
            *calibration_notes,
        ),
    )
    writer.finish(result, seconds=time.monotonic() - started_s)
    return result


def divide(manifest: Manifest, config: SplitConfig, *, seed: int) -> Manifest:
    """Fill the split column as configured.

    Raises:
        SplitError: No leak-free split can be made.
    """
    if config.validation_tail is None:
        return split_clips(
            manifest,
            test_fraction=config.test_fraction,
            validation_fraction=config.validation_fraction,
            seed=seed,
            allow_leak=config.allow_leak,
        )
    if "test" not in manifest.table["split"].to_list():
        manifest = split_clips(
            manifest,
            test_fraction=config.test_fraction,
            validation_fraction=0.0,
            seed=seed,
            allow_leak=config.allow_leak,
        )
    return tail_validation(manifest, config.validation_tail)


def rows_by_split(splits: Sequence[str]) -> dict[str, Rows]:
    """Return the rows of each split that has any.

    Raises:
        SplitError: No clip is for training.
    """
    names = np.array(splits)
    rows = {name: np.flatnonzero(names == name) for name in ("train", "validation", "test")}
    if len(rows["train"]) == 0:
        raise SplitError("no readable clip is left to train on: see the ledger")
    return {name: rows for name, rows in rows.items() if len(rows)}


def _save(
    writer: RunWriter,
    views: Sequence[View],
    fitted: FittedEnsemble,
    *,
    task: LabelTask,
    clips: str,
    rows: dict[str, Rows],
) -> None:
    """Write the heads, their histories and the bundle; remove files of a former run.

    Args:
        writer: Writer of the run folder.
        views: Extracted clips of each view.
        fitted: The heads.
        task: Calibrated label task.
        clips: Fingerprint of the clips.
        rows: Rows of each split.
    """
    trained = []
    for index, head in enumerate(fitted.heads):
        writer.write_history(head.fitted.history, head.best_epoch, index=index)
        weights = writer.save_head(head.fitted.model, index=index)
        extractors = views[head.view].extractors
        trained.append(TrainedHead(head.name, weights, extractors.plain, extractors.mirror))
    writer.write_choices(fitted.choices)
    validation = rows.get("validation", ()) if writer.config.training.refit else ()
    write_bundle(
        writer.bundle,
        trained,
        task=task,
        swap=swapped_classes(task.labels, writer.config.swap_labels).tolist(),
        data_fingerprint=clips,
        trained_on=len(rows["train"]) + len(validation),
    )
    writer.remove_former()


def _measure(
    path: Path,
    views: Sequence[View],
    fitted: FittedEnsemble,
    targets: NDArray[Any],
    test: Rows | None,
) -> dict[str, Metrics]:
    """Return metrics of the bundle on the test clips, and of the best epoch on validation clips.

    Args:
        path: The bundle.
        views: Extracted clips of each view.
        fitted: The heads.
        targets: Targets of all clips.
        test: Rows of the test clips.
    """
    bundle, extraction = Bundle.load(path), views[0].plain
    metrics = {}
    if fitted.validation is not None:
        y_true, probabilities = fitted.validation
        failures = extraction.failure_counts(split="validation").as_metrics()
        metrics["validation"] = bundle.task.metrics(probabilities, y_true, failures=failures)
    if test is not None:
        # A bundle takes features for each of its heads, mirror images included.
        features = [
            each.readable.at(test)
            for head in fitted.heads
            for each in (views[head.view].plain, views[head.view].mirrored)
            if each is not None
        ]
        failures = extraction.failure_counts(split="test").as_metrics()
        metrics["test"] = bundle.task.metrics(
            bundle.probabilities(*features), targets[test], failures=failures
        )
    return metrics
