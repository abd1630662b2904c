"""Fine-tune a run: train the last layers of its backbone and its head together, from pixels."""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl

from vidclass._core.files import replacing, sha256_of, write_text
from vidclass.config import FinetuneConfig
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, RunError
from vidclass.features.extract import extract
from vidclass.features.grouping import regrouped
from vidclass.finetuning.batches import can_jitter
from vidclass.finetuning.build import HeadStart, tune
from vidclass.finetuning.checkpoint import (
    TuneState,
    read_checkpoint,
    require_same_clips,
)
from vidclass.finetuning.data import (
    begins_before_refit,
    check_backbone,
    starting_head,
    tune_data,
    with_failures,
)
from vidclass.finetuning.finish import finish
from vidclass.finetuning.source import TuneJob, check_labels, open_run
from vidclass.finetuning.split import TunedSplit, split_for_tuning
from vidclass.ledger import write_ledger
from vidclass.training import run_folder as names
from vidclass.training.examples import grouped_manifest
from vidclass.training.run import RunResult
from vidclass.types import Progress, no_progress


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

    The same call goes on at the step of the last checkpoint, if an earlier one was killed.  Clips
    that the run knows keep its split, others are split anew.  Where the run's head was trained on
    the validation clips in the end, it begins as it was before that.

    Raises:
        ConfigError: the run is of a kind that cannot be fine-tuned, or a setting is wrong.
        RunError: `run` is no finished run, or `out` holds something else.
        ManifestError: a clip has a label that the run does not know, or several.
        LeakError: a given split holds out what the run has learned from.
        SplitError: no honest split can be made.
        JobFailedError: no clip could be read.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    started_s = time.monotonic()
    job = TuneJob(
        open_run(Path(run)), Path(out), config or FinetuneConfig(), store_folder, progress
    )
    manifest = _prepare(job, manifest, overwrite=overwrite)
    extraction = extract(
        manifest,
        job.source.bundle.extractor(),
        store_folder=store_folder,
        progress=progress,
        strict=strict,
        retry_failed=retry_failed,
    )
    write_ledger(job.out / names.LEDGER, extraction.failures)
    split = _split(job, grouped_manifest(extraction, job.source.config.split))
    found = read_checkpoint(job.out / names.TUNE_CHECKPOINT)
    weights = None
    if found is not None:
        require_same_clips(found.state, split.manifest.fingerprint, job.out / names.TUNE_CHECKPOINT)
    else:
        check_backbone(job, extraction)
        weights = starting_head(job, extraction, split)
    info = job.source.bundle.info
    tuned = tune(
        job.source.features,
        HeadStart(info.head, len(info.labels), weights),
        tune_data(job, extraction, split.manifest),
        job.config,
        out=job.out,
        begun=found or TuneState(split.manifest.fingerprint),
        progress=progress,
    )
    extraction = with_failures(extraction, tuned.state.failures)
    seconds = time.monotonic() - started_s
    result = finish(job, extraction, split.manifest, tuned, seconds=seconds)
    (job.out / names.TUNE_CHECKPOINT).unlink(missing_ok=True)
    return result


def _prepare(job: TuneJob, manifest: Manifest, *, overwrite: bool) -> Manifest:
    """Refuse before the work; then the folder is made."""
    out = job.out
    if out.resolve() == job.source.folder.resolve():
        raise ConfigError(f"out={str(out)!r} is the run itself: name a new folder.")
    source = job.source
    manifest = regrouped(manifest, source.config.split)
    require_single_labels(manifest.table)
    check_labels(source.bundle, manifest, job.config)
    _divided(job, manifest)
    about = {
        "schema": 1,
        "run": sha256_of(source.bundle.path),
        "clips": manifest.fingerprint,
        "config": job.config.model_dump(mode="json"),
    }
    names.prepare_run_folder(out, job.run_config, overwrite=overwrite)
    if overwrite:
        (out / names.TUNE_CHECKPOINT).unlink(missing_ok=True)
    elif (out / names.TUNE_CHECKPOINT).exists() and about != _read(out / names.TUNING):
        raise RunError(
            f"{out} holds an unfinished fine-tuning of another run, with other clips or other "
            "settings: name a new folder, or pass --overwrite"
        )
    names.write_config(out, job.run_config)
    write_text(out / names.TUNING, json.dumps(about, indent=1) + "\n")
    return manifest


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _divided(job: TuneJob, manifest: Manifest) -> TunedSplit:
    config = job.source.config.split
    return split_for_tuning(manifest, job.source.known, config, seed=job.config.seed)


def _split(job: TuneJob, clips: Manifest) -> TunedSplit:
    """The split, also written into the folder, with those of the runs before."""
    split = _divided(job, clips)
    split.manifest.write_csv(job.out / names.SPLIT)
    known = job.source.known
    if job.source.config.training.refit and not begins_before_refit(job, split):
        learned = pl.col("split").replace("validation", "train")
        known = known.with_columns(learned)
    with replacing(job.out / names.EARLIER) as temp:
        known.write_csv(temp)
    notes = []
    if begins_before_refit(job, split):
        notes.append(
            "the run's head had learned from its validation clips in the end: fine-tuning begins "
            "with the head before that, so that validation means something."
        )
    sampling = job.source.features.sampling
    if job.config.jitter and not can_jitter(sampling):
        notes.append(
            f"every epoch sees the same frames: policy={sampling.policy!r} leaves none to draw."
        )
    return TunedSplit(split.manifest.with_notes(*notes), split.held_from_run)
