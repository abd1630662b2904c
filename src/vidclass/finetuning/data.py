"""What a fine-tuning begins with: its clips, and the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidclass.data.manifest import Manifest
from vidclass.features.decoding import decode_for
from vidclass.features.extract import Extraction
from vidclass.features.identity import identify_clips
from vidclass.finetuning.batches import ClipReader, TuneClip
from vidclass.finetuning.build import require_same_backbone
from vidclass.finetuning.checkpoint import Arrays
from vidclass.finetuning.loop import TuneData
from vidclass.finetuning.source import TuneJob
from vidclass.finetuning.split import TunedSplit
from vidclass.heads.registry import load_head
from vidclass.tasks.losses import class_weights
from vidclass.training.ensemble import solves
from vidclass.training.examples import examples
from vidclass.training.fit import fit_head
from vidclass.training.logistic import fit_exactly
from vidclass.training.presets import training_of
from vidclass.types import Failure


def tune_data(job: TuneJob, extraction: Extraction, clips: Manifest) -> TuneData:
    """The clips to train and validate on.

    Args:
        job: The fine-tuning.
        extraction: Of all clips.
        clips: Those of them that could be read, with their splits.
    """
    labels = job.source.bundle.labels
    rows, _ = extraction.readable()
    keys = [extraction.keys[int(row)] or "" for row in rows]
    items = [
        TuneClip(clip, key, labels.index(clip.label))
        for clip, key in zip(clips.clips(), keys, strict=True)
    ]
    videos, _ = identify_clips(clips.clips(), lambda *_: None, job.progress)
    config = job.config
    swaps = {
        labels.index(one): labels.index(other)
        for pair in config.swap_labels.items()
        for one, other in (pair, pair[::-1])
    }
    train = [item for item in items if item.clip.split == "train"]
    truth = np.array([item.truth for item in train], np.int64)
    return TuneData(
        ClipReader(job.source.features, config, videos, swaps),
        train,
        [item for item in items if item.clip.split == "validation"],
        len(labels),
        class_weights(truth, len(labels)) if config.balance_classes else None,
    )


def check_backbone(job: TuneJob, extraction: Extraction) -> None:
    """See `require_same_backbone`; the clip is the first that could be read."""
    rows, features = extraction.readable()
    row = int(rows[0])
    clip = extraction.manifest.clips()[row]
    settings = job.source.features
    frames = decode_for(settings, clip.video, clip.span, fps=clip.fps, key=extraction.keys[row])
    require_same_backbone(settings, frames.frames, features[0], job.config)


def starting_head(job: TuneJob, extraction: Extraction, split: TunedSplit) -> Arrays:
    """The weights of the run's head.

    Where validation has clips that the head learned from in the end (`TrainingConfig.refit`), a
    validation loss would mean nothing: the head is then the one before that, which training on the
    training clips gives once more.
    """
    bundle, config = job.source.bundle, job.source.config
    task, info = bundle.task, bundle.info.first
    if not begins_before_refit(job, split):
        weights = str(job.source.head_weights)
        head = load_head(info.head, info.frames, info.width, len(task.labels), weights)
        return [np.asarray(weight) for weight in head.get_weights()]
    data = examples(extraction, task, info.frames)
    splits = np.array(split.manifest.table["split"].to_list())
    training = data.at(_rows(splits, "train"))
    fitted = fit_exactly(info.head, training, task=task) if solves(config) else None
    if fitted is None:
        fitted = fit_head(
            info.head,
            training,
            training_of(config, info.head).model_copy(update={"refit": False}),
            task=task,
            validation=data.at(_rows(splits, "validation")),
            progress=job.progress,
        )
    return [np.asarray(weight) for weight in fitted.model.get_weights()]


def begins_before_refit(job: TuneJob, split: TunedSplit) -> bool:
    """Whether the run's head has learned from clips that are now for validation."""
    return split.held_from_run and job.source.config.training.refit


def _rows(splits: NDArray[np.str_], name: str) -> NDArray[np.int64]:
    return np.flatnonzero(splits == name)


def with_failures(extraction: Extraction, failures: dict[str, Failure]) -> Extraction:
    """With the clips that could be read at first, and not later."""
    if not failures:
        return extraction
    keys = [None if key in failures else key for key in extraction.keys]
    return replace(extraction, keys=keys, failures=[*extraction.failures, *failures.values()])
