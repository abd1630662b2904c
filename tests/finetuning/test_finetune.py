"""Fine-tuning of a whole run: its files, resuming, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from tiny_set import LABELS, write_set
from vidclass._core.execution import ExecutionOptions
from vidclass._core.files import sha256_of
from vidclass.bundle.read import Bundle
from vidclass.config import FinetuneConfig, RunConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError, RunError
from vidclass.evaluation.evaluate import evaluate
from vidclass.finetuning import finetune as module
from vidclass.finetuning import model
from vidclass.finetuning.build import TuneResult
from vidclass.finetuning.checkpoint import TuneState
from vidclass.finetuning.finetune import TuneJob, finetune, tuning_notes
from vidclass.finetuning.source import open_run, require_finetunable
from vidclass.inference.classifier import Classifier
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.training import run_folder as names
from vidclass.training.run_folder import RunWriter

CONFIG = FinetuneConfig(unfreeze=1, epochs=1, batch_size=8, micro_batch=8)


@pytest.fixture(scope="module")
def tuned(
    tiny_run: Path, tiny_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A fine-tuned run, with one clip that cannot be read, in place of another run; read only."""
    folder = tmp_path_factory.mktemp("finetuned")
    former = Path(shutil.copytree(tiny_run, folder / "run"))
    (former / names.numbered(names.HEAD_WEIGHTS, 1)).touch()
    clips = Path(shutil.copytree(tiny_set, folder / "clips"))
    (clips / "dark" / "v_dark_g09_c01.avi").write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        # So small a picture gains nothing from layers that train quickly and compile slowly.
        patch.setattr(model, "quick_twin", lambda network: network)
        manifest = Manifest.from_source(clips)
        result = finetune(tiny_run, manifest, former, CONFIG, overwrite=True)
        assert any("begins with the head before that" in note for note in result.notes)
        return result.folder


@pytest.mark.slow
def test_a_fine_tuned_run_is_a_run_like_any(tuned: Path, tiny_run: Path, tiny_set: Path) -> None:
    assert sorted(path.name for path in tuned.iterdir()) == sorted(
        [names.CONFIG, names.SPLIT, names.HISTORY, names.HISTORY_FIGURE, names.HEAD_WEIGHTS,
         names.BUNDLE, names.METRICS, names.COMPLETE, names.LEDGER,
         names.BACKBONE_WEIGHTS, names.EARLIER_SPLITS, names.FINETUNE]
    )  # fmt: skip
    splits = [pl.read_csv(run / names.SPLIT)["split"].to_list() for run in (tuned, tiny_run)]
    assert splits[0] == splits[1]
    history = pl.read_csv(tuned / names.HISTORY)
    assert history.columns == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].to_list() == [0, 1]
    metrics = json.loads((tuned / names.METRICS).read_text())
    assert list(metrics) == ["validation", "test", "test_before"]
    assert metrics["test"]["videos"] == metrics["test_before"]["videos"] == 2
    [row] = (tuned / names.LEDGER).read_text().splitlines()
    assert "g09" in json.loads(row)["video"]
    facts = json.loads((tuned / names.COMPLETE).read_text())
    assert (facts["failed"], facts["clips"]) == (1, {"train": 6, "validation": 2, "test": 2})
    # The last block and the convolution after it, of 3.4 million.
    assert facts["finetuned"]["backbone_numbers_trained"] == 1_009_792
    assert facts["finetuned"]["backbone_weights_sha256"] == sha256_of(
        tuned / names.BACKBONE_WEIGHTS
    )
    config = RunConfig.model_validate_json((tuned / names.CONFIG).read_text())
    assert config.features.weights == str(tuned.resolve() / names.BACKBONE_WEIGHTS)
    assert not config.training.refit
    bundle = Bundle.load(tuned / names.BUNDLE)
    assert (bundle.labels, bundle.info.trained_on) == (list(LABELS), 6)
    assert (
        bundle.info.first.features.precision
        == Bundle.load(tiny_run / names.BUNDLE).info.first.features.precision
    )


@pytest.mark.slow
def test_its_bundle_does_not_need_the_weights_file(
    tuned: Path, tiny_run: Path, tiny_set: Path, tmp_path: Path
) -> None:
    bundle = Path(shutil.copy(tuned / names.BUNDLE, tmp_path))
    weights = tuned / names.BACKBONE_WEIGHTS
    weights.rename(tmp_path / "away")
    try:
        clip = next((tiny_set / "dark").iterdir())
        mine = Classifier.load(bundle).predict(clip)
        theirs = Classifier.load(tiny_run / names.BUNDLE).predict(clip)
        assert mine.label == "dark"
        assert mine.scores != theirs.scores
        result = evaluate(Bundle.load(bundle), Manifest.from_source(tiny_set))
        assert result.metrics.accuracy == 1.0
    finally:
        (tmp_path / "away").rename(weights)


@pytest.mark.slow
def test_it_can_be_fine_tuned_again_wherever_it_lies(
    tuned: Path, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Path(shutil.copytree(tuned, tmp_path / "moved"))
    seen: list[Any] = []

    def stop(features: Any, head: Any, data: Any, *_: Any, **__: Any) -> None:
        seen.extend([features, head, data])
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "tune", stop)
    manifest = Manifest.from_source(tiny_set)
    with pytest.raises(KeyboardInterrupt):
        finetune(moved, manifest, tmp_path / "again", CONFIG)
    features, head, data = seen
    assert features.weights == str(moved.resolve() / names.BACKBONE_WEIGHTS)
    assert (len(data.train), len(data.validation)) == (6, 2)
    # This run's head never saw the validation clips: it is taken as it is.
    from vidclass.heads.registry import load_head

    expected = load_head("temporal", 5, 1280, 2, str(moved / names.HEAD_WEIGHTS)).get_weights()
    for mine, theirs in zip(head.weights, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # The splits of the runs before are kept: no clip that was trained on is ever held out.
    earlier = pl.read_csv(tmp_path / "again" / names.EARLIER_SPLITS)
    assert len(earlier) == 20
    # Another network's weights in the place of its own.
    from vidclass.backbones.registry import build_backbone

    other = build_backbone("efficientnet_lite0", 32, "pretrained")
    other.save_weights(moved / names.BACKBONE_WEIGHTS)
    with pytest.raises(RunError, match=r"does not hold the weights of the run: .* cosine of"):
        finetune(moved, manifest, tmp_path / "more", CONFIG)


def test_the_head_begins_before_it_saw_the_validation_clips(
    tiny_run: Path, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stop(features: Any, head: Any, *_: Any, **__: Any) -> None:
        seen.append(head)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "tune", stop)
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny_run, Manifest.from_source(tiny_set), out, CONFIG)
    from vidclass.heads.registry import load_head

    after = load_head("temporal", 5, 1280, 2, str(tiny_run / names.HEAD_WEIGHTS)).get_weights()
    assert any((mine != theirs).any() for mine, theirs in zip(seen[0].weights, after, strict=True))
    # An unfinished one goes on with the same command; what is in it is no finished run.
    with pytest.raises(RunError, match="is not a finished run"):
        open_run(out)
    (out / names.FINETUNE_CHECKPOINT).write_bytes(b"half of one")
    with pytest.raises(
        RunError, match="holds an unfinished fine-tuning of another run, with other"
    ):
        finetune(
            tiny_run, Manifest.from_source(tiny_set), out, CONFIG.model_copy(update={"seed": 1})
        )
    with pytest.raises(RunError, match=r"is damaged .*: remove it, or pass overwrite=True"):
        finetune(tiny_run, Manifest.from_source(tiny_set), out, CONFIG)
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny_run, Manifest.from_source(tiny_set), out, CONFIG, overwrite=True)
    assert not (out / names.FINETUNE_CHECKPOINT).exists()


def test_what_cannot_be_fine_tuned_is_refused(
    tiny_run: Path, tiny_set: Path, tmp_path: Path
) -> None:
    manifest = Manifest.from_source(tiny_set)
    with pytest.raises(RunError, match="nothing: there is no such run"):
        finetune(tmp_path / "nothing", manifest, tmp_path / "run")
    with pytest.raises(ConfigError, match="is a file: name the run's folder. A bundle alone does"):
        finetune(tiny_run / names.BUNDLE, manifest, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"out='.*' is the run itself: name a new folder"):
        finetune(tiny_run, manifest, tiny_run, overwrite=True)
    strange = write_set(tmp_path / "strange", labels=("dark", "grey"), groups=3)
    with pytest.raises(ManifestError, match=r"does not know these labels: \['grey'\]\. It knows"):
        finetune(tiny_run, Manifest.from_source(strange), tmp_path / "run")
    config = FinetuneConfig(flip=True, swap_labels={"dark": "left"})
    with pytest.raises(ConfigError, match=r"swap_labels names \['left'\], but the run's labels"):
        finetune(tiny_run, manifest, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_a_run_that_lacks_a_part_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    (run / names.HEAD_WEIGHTS).write_bytes(b"another head")
    with pytest.raises(RunError, match=r"head.weights.h5 is not the head of model.vidclass"):
        open_run(run)
    (run / names.SPLIT).write_text("nothing,of,this\n1,2,3\n")
    with pytest.raises(RunError, match="is not a whole run: "):
        open_run(run)
    (run / names.SPLIT).unlink()
    with pytest.raises(RunError, match="is not a whole run: "):
        open_run(run)


def test_ensembles_and_windows_of_frames_are_refused(tiny_run: Path) -> None:
    bundle = Bundle.load(tiny_run / names.BUNDLE)
    require_finetunable(bundle)
    info = bundle.info.model_copy(
        update={"ensemble": bundle.info.ensemble * 2, "task": MultiLabelTask(("dark", "light"))}
    )
    path = Path("x.vidclass")
    with pytest.raises(ConfigError, match="x.vidclass is the mean of 2 heads: fine-tune a run of"):
        require_finetunable(Bundle(path, info, {}))
    info = info.model_copy(update={"ensemble": bundle.info.ensemble})
    with pytest.raises(ConfigError, match="x.vidclass is a multi-label classifier: only single"):
        require_finetunable(Bundle(path, info, {}))
    windows = bundle.info.first.model_copy(update={"window": 16})
    info = bundle.info.model_copy(update={"ensemble": (windows,)})
    with pytest.raises(ConfigError, match="takes windows of 16 frames: only backbones that see"):
        require_finetunable(Bundle(path, info, {}))


def job(tiny_run: Path, folder: Path, policy: Literal["uniform", "first"] = "uniform") -> TuneJob:
    """A fine-tuning of the run, as if it had been trained with a sampling policy."""
    run = open_run(tiny_run)
    features = run.features.model_copy(update={"sampling": SamplingConfig(policy=policy)})
    head = run.bundle.info.first.model_copy(update={"features": features})
    info = run.bundle.info.model_copy(update={"ensemble": (head,)})
    run = replace(run, bundle=Bundle(run.bundle.path, info, {}))
    writer = RunWriter(folder, run.finetuned_config(folder))
    return TuneJob(run, writer, CONFIG, ExecutionOptions())


def notes(job: TuneJob, *, best_epoch: int = 1, devices: int = 1) -> list[str]:
    state = TuneState("clips", epoch=3, best_epoch=best_epoch)
    return tuning_notes(job, TuneResult(state, 1, 2, devices=devices))


def test_frames_that_cannot_be_drawn_are_noted(tiny_run: Path, tmp_path: Path) -> None:
    assert notes(job(tiny_run, tmp_path)) == []
    [frames] = notes(job(tiny_run, tmp_path, "first"))
    assert frames == "every epoch sees the same frames: policy='first' leaves none to draw."


def test_training_without_a_better_epoch_and_its_devices_are_noted(
    tiny_run: Path, tmp_path: Path
) -> None:
    useless, devices = notes(job(tiny_run, tmp_path), best_epoch=0, devices=2)
    assert useless.startswith("no epoch was better on the validation clips than the weights that")
    assert useless.endswith(f"these are kept, so the backbone is that of {tiny_run}.")
    assert devices == "batches were spread over 2 devices."
