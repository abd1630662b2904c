"""A training run: from labelled clips to a run folder with a bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle.read import Bundle
from vidclass.bundle.write import TrainedHead, write_bundle
from vidclass.config import RunConfig, SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import split_clips, tail_validation
from vidclass.errors import SplitError
from vidclass.features.extract import Extraction
from vidclass.features.extractor import require_backbone
from vidclass.features.near_duplicates import assign_groups
from vidclass.tasks.base import LabelTask
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.resolve import resolve_task
from vidclass.training.ensemble import FittedMembers, fit_members
from vidclass.training.examples import grouped_manifest
from vidclass.training.head_selection import require_head_for
from vidclass.training.run_folder import SPLIT, RunResult, RunWriter
from vidclass.training.views import View, see, seen_clips, swapped_classes
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
    """Train a classifier and leave everything about it in the folder `out`.

    Raises:
        RunError: `out` holds something else, or a finished run and `overwrite` is not set.
        SplitError: no honest split can be made.
        LeakError: a given split has a group, or the same content, on two sides.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    started = time.monotonic()
    writer = RunWriter(Path(out), config)
    manifest, task = _prepare(manifest, writer, overwrite=overwrite)
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
    clips = _split(writer, extraction)
    task = task.with_labels(clips.labels)
    parts = _parts(clips)
    seen = seen_clips(views, task, config)
    fitted = fit_members(
        seen,
        clips,
        config,
        training=parts["train"],
        validation=parts.get("validation"),
        task=task,
        progress=progress,
    )
    task, calibration_notes = task.calibrated(fitted.validation, config.task)
    learned = _learned_from(parts, config)
    _save(writer, clips, views, fitted, task=task, learned_from=learned)
    metrics = _measure(writer.bundle, views, clips, fitted)
    sizes = {name: len(part) for name, part in parts.items()}
    notes = (
        *clips.notes,
        *extraction.notes,
        *seen[0].plain.notes,
        *extraction.failure_counts().notes(),
        *task.notes(clips.table["label"].to_list()),
        *calibration_notes,
    )
    result = RunResult(
        writer.folder,
        writer.bundle,
        sizes,
        metrics,
        _best_epoch(fitted),
        fitted.choices,
        extraction,
        notes,
    )
    writer.finish(result, seconds=time.monotonic() - started)
    return result


def _prepare(
    manifest: Manifest, writer: RunWriter, *, overwrite: bool
) -> tuple[Manifest, LabelTask]:
    """Refuse before the work; then the folder is made.  Returns the clips with their groups."""
    config = writer.config
    manifest = assign_groups(manifest, config.split)
    task = resolve_task(manifest, config.task)
    require_head_for(config.head, task)
    divide(manifest, config.split, seed=config.training.seed)
    for view in config.views:
        require_backbone(view)
    writer.begin(overwrite=overwrite)
    return manifest, task


def _split(writer: RunWriter, extraction: Extraction) -> Manifest:
    """The readable clips with their split, also written into the folder, and those that failed."""
    writer.write_ledger(extraction.failures)
    config = writer.config
    clips = grouped_manifest(extraction, config.split)
    clips = divide(clips, config.split, seed=config.training.seed)
    writer.write_table(SPLIT, clips.table)
    return clips


def _best_epoch(fitted: FittedMembers) -> int | None:
    first = fitted.members[0].fitted
    return None if first.exact else first.best_epoch


def divide(manifest: Manifest, config: SplitConfig, *, seed: int) -> Manifest:
    """Fill the split column as the configuration says.

    Raises:
        SplitError: no honest split can be made.
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


def _parts(clips: Manifest) -> dict[str, NDArray[np.int64]]:
    """The rows of each part that has any."""
    splits = np.array(clips.table["split"].to_list())
    parts = {name: np.flatnonzero(splits == name) for name in ("train", "validation", "test")}
    if len(parts["train"]) == 0:
        raise SplitError("no readable clip is left to train on: see the ledger")
    return {name: rows for name, rows in parts.items() if len(rows)}


def _learned_from(parts: dict[str, NDArray[np.int64]], config: RunConfig) -> int:
    validation = len(parts.get("validation", ())) if config.training.refit else 0
    return len(parts["train"]) + validation


def _save(
    writer: RunWriter,
    clips: Manifest,
    views: Sequence[View],
    fitted: FittedMembers,
    *,
    task: LabelTask,
    learned_from: int,
) -> None:
    """Write the heads, their histories and the bundle; remove what a former run has left."""
    trained = []
    for index, member in enumerate(fitted.members):
        model = member.fitted
        best = None if model.exact else model.best_epoch
        writer.write_history(model.history, best, index=index)
        weights = writer.save_head(model.model, index=index)
        view = views[member.view]
        trained.append(TrainedHead(member.head, weights, view.extractor, view.mirror_extractor))
    writer.write_choices(fitted.choices)
    write_bundle(
        writer.bundle,
        trained,
        task=task,
        swap=swapped_classes(task.labels, writer.config.swap_labels).tolist(),
        data_fingerprint=clips.fingerprint,
        trained_on=learned_from,
    )
    writer.remove_former()


def _measure(
    path: Path, views: Sequence[View], clips: Manifest, fitted: FittedMembers
) -> dict[str, Metrics]:
    """Metrics of the bundle itself on the test clips; on validation clips, of the best epoch."""
    bundle, extraction = Bundle.load(path), views[0].extraction
    task = bundle.task
    splits = np.array(clips.table["split"].to_list())
    rows = np.flatnonzero(splits == "test")
    metrics = {}
    if fitted.validation is not None:
        y_true, probabilities = fitted.validation
        failures = extraction.failure_counts(split="validation").as_metrics()
        metrics["validation"] = task.metrics(probabilities, y_true, failures=failures)
    if len(rows):
        label_of = clips.table["label"].to_list()
        y_true = task.targets(label_of[row] for row in rows.tolist())
        seen = [
            each.readable.at(rows)
            for member in fitted.members
            for each in (views[member.view].extraction, views[member.view].mirrored)
            if each is not None
        ]
        failures = extraction.failure_counts(split="test").as_metrics()
        metrics["test"] = task.metrics(bundle.probabilities(*seen), y_true, failures=failures)
    return metrics
