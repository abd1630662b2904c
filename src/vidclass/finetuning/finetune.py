"""Fine-tune a run: train the last layers of its backbone together with its head, from pixels."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vidclass._core.execution import ExecutionOptions
from vidclass._core.files import sha256_of
from vidclass.bundle.read import Bundle
from vidclass.bundle.write import TrainedHead, write_bundle
from vidclass.config import FinetuneConfig
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, RunError
from vidclass.features.extract import Extraction, extract_features
from vidclass.features.extractor import feature_extractor
from vidclass.features.failures import FailureMetrics
from vidclass.features.near_duplicates import assign_groups
from vidclass.finetuning.batches import can_jitter, tune_data
from vidclass.finetuning.build import HeadStart, TuneResult, require_same_backbone, tune
from vidclass.finetuning.checkpoint import (
    Checkpoint,
    TuneState,
    read_checkpoint,
    require_same_clips,
)
from vidclass.finetuning.source import TrainedRun, open_run, require_known_labels
from vidclass.finetuning.split import TunedSplit, split_for_tuning
from vidclass.tasks.metrics import Metrics, single_label_metrics
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training import run_folder as names
from vidclass.training.examples import keeps_clips, readable_clips
from vidclass.training.head_selection import ASKED_FOR, HeadChoice
from vidclass.training.run_folder import RunResult, RunWriter
from vidclass.types import ClipFeatures, Failure, Progress, no_progress


@dataclass(frozen=True)
class TuneJob:
    """A fine-tuning under way.

    Attributes:
        source: The run that is fine-tuned.
        writer: Writer of the new run.
        config: Settings.
        execution: Store, progress and what failures mean.
    """

    source: TrainedRun
    writer: RunWriter
    config: FinetuneConfig
    execution: ExecutionOptions

    def starts_before_refit(self, split: TunedSplit) -> bool:
        """Return whether the run's head was trained on clips that are now for validation.

        A validation loss would mean nothing for it: the head from before the refit is taken.
        """
        return split.shares_validation and self.source.config.training.refit


def finetune(
    run: str | Path,
    manifest: Manifest,
    out: str | Path,
    config: FinetuneConfig | None = None,
    *,
    store_folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> RunResult:
    """Train the last layers of a run's backbone and its head together; `out` is a run like any.

    The same call resumes an interrupted one at the step of its last checkpoint.  Clips of the run
    keep their split, others are split anew.  If the run's head was refitted on the validation
    clips, training starts with the head from before that.

    Raises:
        ConfigError: The run is of a kind that cannot be fine-tuned, or a setting is not allowed.
        RunError: `run` is not a finished run, or `out` holds something else.
        ManifestError: A clip has a label that the run does not know, or several.
        LeakError: A given split holds out clips that the run was trained on.
        SplitError: No leak-free split can be made.
        JobFailedError: No clip could be read.
        StoppedError: A video cannot be read, and `strict` is set.
    """
    started_s = time.monotonic()
    out, source = Path(out), open_run(Path(run))
    writer = RunWriter(out, source.finetuned_config(out))
    execution = ExecutionOptions(store_folder, progress, strict, retry_failed)
    job = TuneJob(source, writer, config or FinetuneConfig(), execution)
    manifest, split = _prepare(job, manifest, overwrite=overwrite)
    extraction = extract_features(manifest, source.bundle.extractor(), execution)
    writer.write_ledger(extraction.failures)
    clips, split = _readable_clips(job, manifest, split, extraction)
    start, head = _start(job, extraction, clips, split)
    data = tune_data(
        clips.clips(),
        [key for key in extraction.keys if key is not None],
        source.bundle.labels,
        features=source.features,
        config=job.config,
        progress=progress,
    )
    result = tune(
        source.features, head, data, job.config, writer=writer, start=start, progress=progress
    )
    extraction = _with_failures(extraction, result.state.failures)
    return _finish(job, extraction, clips, result, started_s=started_s)


def _prepare(job: TuneJob, manifest: Manifest, *, overwrite: bool) -> tuple[Manifest, TunedSplit]:
    """Validate everything before the work, then make the folder; returns the clips, split."""
    source, writer = job.source, job.writer
    if writer.folder.resolve() == source.folder.resolve():
        raise ConfigError(f"out={str(writer.folder)!r} is the run itself: name a new folder.")
    manifest = assign_groups(manifest, source.config.split)
    require_single_labels(manifest.table)
    require_known_labels(source.bundle, manifest.labels, job.config)
    split = _split(job, manifest)
    about = {
        "schema": 1,
        "run": sha256_of(source.bundle.path),
        "clips": manifest.fingerprint,
        "config": job.config.model_dump(mode="json"),
    }
    writer.require_free(overwrite=overwrite)
    checkpoint = writer.folder / names.FINETUNE_CHECKPOINT
    resumes = checkpoint.exists() and not overwrite
    if resumes and about != _read_json(writer.folder / names.FINETUNE):
        raise RunError(
            f"{writer.folder} holds an unfinished fine-tuning of another run, with other clips or "
            "other settings: name a new folder, or pass overwrite=True"
        )
    writer.begin(overwrite=overwrite)
    if not resumes:
        checkpoint.unlink(missing_ok=True)
    writer.write_json(names.FINETUNE, about)
    return manifest, split


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _split(job: TuneJob, manifest: Manifest) -> TunedSplit:
    return split_for_tuning(
        manifest.table,
        manifest.group_ids.to_list(),
        job.source.clips,
        job.source.config.split,
        seed=job.config.seed,
    )


def _readable_clips(
    job: TuneJob, manifest: Manifest, split: TunedSplit, extraction: Extraction
) -> tuple[Manifest, TunedSplit]:
    """Return the readable clips with their splits; writes these and those of the runs before."""
    config, earlier = job.source.config, job.source.clips
    if not keeps_clips(extraction, config.split):
        manifest = readable_clips(extraction, config.split)
        split = _split(job, manifest)
    clips = manifest.with_splits(split.splits).with_notes(*split.notes)
    before_refit = job.starts_before_refit(split)
    if before_refit:
        clips = clips.with_notes(
            "the run's head had been refitted on its validation clips: fine-tuning begins with the "
            "head before that, so that validation means something."
        )
    job.writer.write_table(names.SPLIT, clips.table)
    if config.training.refit and not before_refit:
        earlier = earlier.with_columns(pl.col("split").replace("validation", "train"))
    job.writer.write_table(names.EARLIER_SPLITS, earlier)
    return clips, split


def _start(
    job: TuneJob, extraction: Extraction, clips: Manifest, split: TunedSplit
) -> tuple[TuneState | Checkpoint, HeadStart]:
    """Return the checkpoint to resume from, or a new state; and the head."""
    source = job.source
    head = HeadStart(source.bundle.info.first.head, len(source.bundle.labels), None)
    path = job.writer.path(names.FINETUNE_CHECKPOINT)
    checkpoint = read_checkpoint(path)
    if checkpoint is not None:
        require_same_clips(checkpoint.state, clips.fingerprint, path)
        return checkpoint, head
    require_same_backbone(source.features, extraction, job.config)
    if job.starts_before_refit(split):
        progress = job.execution.progress
        weights = source.weights_before_refit(extraction, split.splits, progress=progress)
    else:
        weights = source.weights_of_head()
    return TuneState(clips.fingerprint), replace(head, weights=weights)


def _with_failures(extraction: Extraction, failures: dict[str, Failure]) -> Extraction:
    """Return the extraction without the clips that could not be read again in training."""
    if not failures:
        return extraction
    keys = [None if key in failures else key for key in extraction.keys]
    return replace(extraction, keys=keys, failures=[*extraction.failures, *failures.values()])


def _finish(
    job: TuneJob,
    extraction: Extraction,
    clips: Manifest,
    tuned: TuneResult,
    *,
    started_s: float,
) -> RunResult:
    """Write everything about a fine-tuned run; the file that marks it as finished comes last."""
    writer, source = job.writer, job.source
    writer.write_ledger(extraction.failures)
    writer.write_history(tuned.state.history, tuned.state.best_epoch)
    splits = clips.table["split"].to_list()
    sizes = {name: splits.count(name) for name in ("train", "validation", "test")}
    extractor = feature_extractor(writer.config.features, clips, progress=job.execution.progress)
    info = write_bundle(
        writer.bundle,
        [TrainedHead(source.bundle.info.first.head, writer.path(names.HEAD_WEIGHTS), extractor)],
        task=SingleLabelTask(source.bundle.task.labels),
        data_fingerprint=clips.fingerprint,
        trained_on=sizes["train"],
    )
    writer.remove_former()
    notes = [*clips.notes, *extraction.notes, *extraction.failure_counts().notes()]
    notes += tuning_notes(job, tuned)
    weights = writer.path(names.BACKBONE_WEIGHTS)
    if info.first.route == "keras":
        notes.append(
            f"the backbone has no OpenVINO form, so it is not inside the bundle: predicting takes "
            f"Keras and {weights}, which must stay where it is."
        )
    result = RunResult(
        writer.folder,
        writer.bundle,
        {name: size for name, size in sizes.items() if size},
        _metrics(job, extraction, clips),
        tuned.state.best_epoch,
        [HeadChoice((source.bundle.info.first.head,), ASKED_FOR)],
        extraction,
        tuple(dict.fromkeys(notes)),
    )
    facts: dict[str, Any] = {
        "from": str(source.folder),
        "backbone_numbers_trained": tuned.trained,
        "backbone_numbers": tuned.total,
        "devices": tuned.devices,
        "backbone_weights_sha256": sha256_of(weights),
    }
    writer.finish(result, seconds=time.monotonic() - started_s, finetuned=facts)
    (writer.folder / names.FINETUNE_CHECKPOINT).unlink(missing_ok=True)
    return result


def tuning_notes(job: TuneJob, tuned: TuneResult) -> list[str]:
    """Return sentences about the training for the user."""
    notes = []
    sampling = job.source.features.sampling
    if job.config.jitter and not can_jitter(sampling):
        notes.append(
            f"every epoch sees the same frames: policy={sampling.policy!r} leaves none to draw."
        )
    if tuned.state.best_epoch == 0:
        notes.append(
            "no epoch was better on the validation clips than the weights that fine-tuning began "
            f"with: these are kept, so the backbone is that of {job.source.folder}."
        )
    if tuned.devices > 1:
        notes.append(f"batches were spread over {tuned.devices} devices.")
    return notes


def _metrics(job: TuneJob, extraction: Extraction, clips: Manifest) -> dict[str, Metrics]:
    """Measure the new bundle on validation and test clips, and the old one on the test clips."""
    splits = ("validation", "test")
    held_out = Manifest(clips.table.filter(pl.col("split").is_in(splits)))
    if not len(held_out):
        return {}
    bundle = Bundle.load(job.writer.bundle)
    execution = replace(job.execution, strict=False, retry_failed=False)
    features = extract_features(held_out, bundle.extractor(), execution).clips
    failed = {name: extraction.failure_counts(split=name).as_metrics() for name in splits}
    measured = {
        name: _measure(bundle, held_out.table, features, split=name, failed=failed[name])
        for name in splits
    }
    before = [clip for clip in extraction.clips if clip is not None]
    if len(before) == len(clips):
        measured["test_before"] = _measure(
            job.source.bundle, clips.table, before, split="test", failed=failed["test"]
        )
    return {name: metrics for name, metrics in measured.items() if metrics is not None}


def _measure(
    bundle: Bundle,
    clips: pl.DataFrame,
    features: Sequence[ClipFeatures | None],
    *,
    split: str,
    failed: FailureMetrics,
) -> Metrics | None:
    """Return metrics on the clips of one split that have features; None without any."""
    pairs = [
        (bundle.labels.index(label), clip)
        for label, clip_split, clip in zip(clips["label"], clips["split"], features, strict=True)
        if clip_split == split and clip is not None
    ]
    if not pairs:
        return None
    y_true = np.array([index for index, _ in pairs], np.int64)
    probabilities = bundle.probabilities([clip for _, clip in pairs])
    return single_label_metrics(probabilities, y_true, bundle.labels, failures=failed)
