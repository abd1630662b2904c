"""End a fine-tuning: the bundle, what it measures, and the files of the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import polars as pl

from vidclass._core.files import sha256_of, write_text
from vidclass.bundle.read import Bundle
from vidclass.bundle.write import TrainedMember, write_bundle
from vidclass.data.manifest import Manifest
from vidclass.features.extract import Extraction, extract
from vidclass.features.extractor import feature_extractor
from vidclass.features.failures import FailureMetrics
from vidclass.finetuning.build import Tuned
from vidclass.finetuning.source import TuneJob
from vidclass.ledger import write_ledger
from vidclass.tasks.metrics import Metrics, compute_metrics
from vidclass.training import run_folder as names
from vidclass.training.head_selection import ASKED_FOR, HeadChoice
from vidclass.training.run import RunResult
from vidclass.types import ClipFeatures
from vidclass.version import __version__


def finish(
    job: TuneJob, extraction: Extraction, clips: Manifest, tuned: Tuned, *, seconds: float
) -> RunResult:
    """Write everything about a fine-tuned run; the file that says it is whole comes last.

    Args:
        job: The fine-tuning.
        extraction: Of all clips, by the run that it began with.
        clips: Those that could be read then, with their splits.
        tuned: The training, whose weights are in the folder.
        seconds: How long it took, of this process.
    """
    out, state = job.out, tuned.state
    write_ledger(out / names.LEDGER, extraction.failures)
    pictured = names.write_history(out, state.history, state.best_epoch)
    extractor = feature_extractor(job.run_config.features, clips, progress=job.progress)
    sizes = {
        name: count
        for name in ("train", "validation", "test")
        if (count := clips.table["split"].to_list().count(name))
    }
    info = write_bundle(
        out / names.BUNDLE,
        [TrainedMember(job.source.bundle.info.head, out / names.CHECKPOINT, extractor)],
        labels=job.source.bundle.labels,
        data_fingerprint=clips.fingerprint,
        trained_on=sizes["train"],
    )
    written = {*pictured, names.CHECKPOINT, *names.OF_TUNING}
    names.remove_former(out, job.run_config, written=written)
    notes = [*clips.notes, *extraction.notes, *extraction.failure_counts().notes()]
    notes += notes_on(job, tuned)
    if info.route == "keras":
        notes.append(
            f"the backbone has no OpenVINO form, so it is not inside the bundle: predicting takes "
            f"Keras and {out / names.BACKBONE_WEIGHTS}, which must stay where it is."
        )
    metrics = _metrics(job, extraction, clips)
    result = RunResult(
        out,
        out / names.BUNDLE,
        sizes,
        metrics,
        state.best_epoch,
        [HeadChoice((job.source.bundle.info.head,), ASKED_FOR)],
        extraction,
        tuple(dict.fromkeys(notes)),
    )
    _write_facts(job, result, tuned, seconds)
    return result


def notes_on(job: TuneJob, tuned: Tuned) -> list[str]:
    """What the training has to tell."""
    notes = []
    if tuned.state.best_epoch == 0:
        notes.append(
            "no epoch was better on the validation clips than the weights that fine-tuning began "
            f"with: these are kept, so the backbone is that of {job.source.folder}."
        )
    if tuned.devices > 1:
        notes.append(f"batches were spread over {tuned.devices} devices.")
    return notes


def _metrics(job: TuneJob, extraction: Extraction, clips: Manifest) -> dict[str, Metrics]:
    """Of the new bundle on validation and test clips, and of the old one on the test clips."""
    held_out = Manifest(clips.table.filter(pl.col("split").is_in(["validation", "test"])))
    if not len(held_out):
        return {}
    bundle = Bundle.load(job.out / names.BUNDLE)
    made = extract(
        held_out, bundle.extractor(), store_folder=job.store_folder, progress=job.progress
    ).clips
    lost = {
        name: extraction.failure_counts(split=name).as_metrics() for name in ("validation", "test")
    }
    metrics = {}
    for name in ("validation", "test"):
        if (found := _measured(bundle, held_out, made, name, lost[name])) is not None:
            metrics[name] = found
    before = [clip for clip in extraction.clips if clip is not None]
    if len(before) == len(clips):
        found = _measured(job.source.bundle, clips, before, "test", lost["test"])
        if found is not None:
            metrics["test_before"] = found
    return metrics


def _measured(
    bundle: Bundle,
    clips: Manifest,
    features: Sequence[ClipFeatures | None],
    split: str,
    lost: FailureMetrics,
) -> Metrics | None:
    pairs = [
        (bundle.labels.index(label), made)
        for label, part, made in zip(
            clips.table["label"], clips.table["split"], features, strict=True
        )
        if part == split and made is not None
    ]
    if not pairs:
        return None
    truth = np.array([index for index, _ in pairs], np.int64)
    return compute_metrics(
        bundle.probabilities([made for _, made in pairs]), truth, bundle.labels, **lost
    )


def _write_facts(job: TuneJob, result: RunResult, tuned: Tuned, seconds: float) -> None:
    metrics = {name: value.to_json() for name, value in result.metrics.items()}
    write_text(job.out / names.METRICS, json.dumps(metrics, indent=1) + "\n")
    facts = {
        "schema": 1,
        "vidclass": __version__,
        "best_epoch": result.best_epoch,
        "clips": result.sizes,
        "failed": len(result.extraction.failures),
        "failed_by_class": result.extraction.failure_counts().by_class,
        "reused_features": result.extraction.reused,
        "seconds": round(seconds, 2),
        "notes": result.notes,
        "finetuned": {
            "from": str(job.source.folder),
            "backbone_numbers_trained": tuned.trained,
            "backbone_numbers": tuned.total,
            "devices": tuned.devices,
            "backbone_weights_sha256": sha256_of(job.out / names.BACKBONE_WEIGHTS),
        },
    }
    write_text(job.out / names.COMPLETE, json.dumps(facts, indent=1) + "\n")
