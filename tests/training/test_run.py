from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tiny_set import LABELS, QUICK, write_clip, write_set
from vidclass.bundle.read import Bundle
from vidclass.config import FeatureConfig, RunConfig, SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, JobFailedError, RunError, SplitError, WeightsError
from vidclass.features import extract as extract_module
from vidclass.features.decoding import pad_clips
from vidclass.features.extract import extract
from vidclass.features.extractor import feature_extractor
from vidclass.heads.registry import load_head
from vidclass.runtime.hardware import resolve_precision
from vidclass.training import ensemble
from vidclass.training import run as module
from vidclass.training import run_folder as names
from vidclass.training.presets import run_config
from vidclass.training.run import divide, train

CONFIG = run_config(features=QUICK, head="temporal", training={"epochs": 30, "learning_rate": 0.01})


def weights(run: Path) -> list[np.ndarray[Any, Any]]:
    model = load_head("temporal", 5, 1280, len(LABELS), str(run / names.HEAD_WEIGHTS))
    return [np.asarray(weight) for weight in model.get_weights()]


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch, tiny_run: Path) -> list[dict[str, Any]]:
    """Put a bundle that is at hand in place of each new one; what was asked for, in order."""
    asked: list[dict[str, Any]] = []

    def write_bundle(path: Path, trained: object, **arguments: Any) -> None:
        asked.append(arguments)
        shutil.copy(tiny_run / names.BUNDLE, path)

    monkeypatch.setattr(module, "write_bundle", write_bundle)
    return asked


@pytest.mark.slow
def test_a_run_leaves_everything_about_it(tiny_run: Path, tiny_set: Path) -> None:
    assert sorted(path.name for path in tiny_run.iterdir()) == sorted(
        [names.CONFIG, names.SPLIT, names.HISTORY, names.HISTORY_FIGURE, names.HEAD_WEIGHTS,
         names.BUNDLE, names.METRICS, names.CHOICES,
         names.COMPLETE]
    )  # fmt: skip
    config = RunConfig.model_validate_json((tiny_run / names.CONFIG).read_text())
    assert config == CONFIG
    split = Manifest.from_source(tiny_run / names.SPLIT)  # it would refuse a leak
    sizes = {name: len(split.where(split=name)) for name in ("train", "validation", "test")}
    assert sizes == {"train": 6, "validation": 2, "test": 2}
    assert split.table["video"].to_list() == Manifest.from_source(tiny_set).table["video"].to_list()
    history = pl.read_csv(tiny_run / names.HISTORY)
    assert history.columns == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    metrics = json.loads((tiny_run / names.METRICS).read_text())
    assert list(metrics) == ["validation", "test"]
    assert metrics["test"]["accuracy"] == 1.0
    assert metrics["test"]["videos"] == 2
    facts = json.loads((tiny_run / names.COMPLETE).read_text())
    best = int(np.argmin(history["val_loss"].to_numpy())) + 1
    assert (facts["schema"], facts["best_epoch"], facts["clips"]) == (1, best, sizes)
    assert (facts["failed"], facts["reused_features"]) == (0, 0)
    info = Bundle.load(tiny_run / names.BUNDLE).info
    assert (info.labels, info.first.head, info.trained_on) == (list(LABELS), "temporal", 8)
    precision = resolve_precision(CONFIG.features.precision)
    assert info.first.features == CONFIG.features.model_copy(update={"precision": precision})
    assert info.data_fingerprint == split.fingerprint


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_ends_the_same(
    tiny_run: Path,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bundles: list[dict[str, Any]],
) -> None:
    manifest = Manifest.from_source(tiny_set)

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ensemble, "fit_head", interrupt)
        train(manifest, tmp_path / "run", CONFIG)
    assert not (tmp_path / "run" / names.COMPLETE).exists()
    result = train(manifest, tmp_path / "run", CONFIG)
    assert result.extraction.reused == len(manifest)
    for mine, theirs in zip(weights(tmp_path / "run"), weights(tiny_run), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    history = (tmp_path / "run" / names.HISTORY).read_text()
    assert history == (tiny_run / names.HISTORY).read_text()
    with pytest.raises(RunError, match="holds a finished run"):
        train(manifest, tmp_path / "run", CONFIG)
    assert len(bundles) == 1
    # Nothing stays of a run of more heads, nor of a fine-tuned one, whose splits would be believed.
    for name in (
        names.LEDGER,
        "head-2.weights.h5",
        "history-2.csv",
        names.EARLIER_SPLITS,
        "notes.txt",
    ):
        (tmp_path / "run" / name).write_text("from before")
    train(manifest, tmp_path / "run", CONFIG, overwrite=True)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {path.name for path in tiny_run.iterdir()} | {"notes.txt"}


@pytest.mark.slow
def test_what_cannot_be_read_is_in_the_ledger_and_in_no_score(
    tmp_path: Path, bundles: list[dict[str, Any]]
) -> None:
    clips = write_set(tmp_path / "clips", groups=4)
    (clips / "dark" / "v_dark_g09_c01.avi").write_bytes(b"")
    result = train(Manifest.from_source(clips), tmp_path / "run", CONFIG)
    row = json.loads((tmp_path / "run" / names.LEDGER).read_text())
    assert row["video"].endswith("v_dark_g09_c01.avi")
    assert row["error_type"] == "VideoError"
    assert sum(result.sizes.values()) == result.extraction.ok == 8
    assert "g09" not in (tmp_path / "run" / names.SPLIT).read_text()
    assert json.loads((tmp_path / "run" / names.COMPLETE).read_text())["failed"] == 1
    assert bundles[0]["trained_on"] == result.sizes["train"] + result.sizes["validation"]


@pytest.mark.slow
def test_given_splits_are_kept_and_no_test_clips_means_no_test_metrics(
    tiny_set: Path, tmp_path: Path, bundles: list[dict[str, Any]]
) -> None:
    manifest = Manifest.from_source(tiny_set)
    config = run_config(
        features=QUICK,
        head="temporal",
        training={"epochs": 1, "refit": False},
        split={"test_fraction": 0.0},
    )
    given = ["validation" if "_g00_" in row else None for row in manifest.table["video"]]
    result = train(manifest.with_splits(given), tmp_path / "run", config)
    assert result.sizes == {"train": 8, "validation": 2}
    assert list(result.metrics) == ["validation"]
    assert bundles[0]["trained_on"] == 8


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (run_config(features=QUICK, flip=True, swap_labels={"dark": "grey"}), "='grey' is not one"),
        (RunConfig(head="gruu"), "head='gruu' is not one of"),
        (
            run_config(
                features=QUICK,
                head="mean",
                training={"augment": {"reverse": 0.5, "reverse_labels": "all"}},
            ),
            "the head 'mean' does not see the order",
        ),
        (RunConfig(features=FeatureConfig(backbone="lite")), "backbone='lite' is not one of"),
        (
            run_config(features={"weights": "nowhere.weights.h5"}, head="mean"),
            "nowhere.weights.h5",
        ),
    ],
)
def test_settings_are_validated_before_the_folder_is_made(
    config: RunConfig, message: str, tiny_set: Path, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, WeightsError), match=message):
        train(Manifest.from_source(tiny_set), tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_an_impossible_split_is_refused_before_the_work(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        extract_module, "extract_features", lambda *_, **__: pytest.fail("too early")
    )
    dark = Manifest.from_source(tiny_set)
    only = Manifest(dark.table.filter(pl.col("label") == "dark"))
    with pytest.raises(SplitError, match=r"only one class, \['dark'\]"):
        train(only, tmp_path / "run", CONFIG)


def test_nothing_readable_is_a_failure_that_names_the_first(tmp_path: Path) -> None:
    for label in LABELS:
        for group in range(4):
            path = tmp_path / "clips" / label / f"v_{label}_g{group:02}_c01.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    with pytest.raises(JobFailedError, match=r"none of the 8 clips .*v_dark_g00_c01\.avi: .*empty"):
        train(Manifest.from_source(tmp_path / "clips"), tmp_path / "run", CONFIG)


@pytest.mark.parametrize("given", [True, False])
def test_validation_can_be_the_tail_as_in_the_example(tiny_set: Path, given: bool) -> None:
    manifest = Manifest.from_source(tiny_set)
    if given:
        marks = ["test" if "_g00_" in row else "train" for row in manifest.table["video"]]
        manifest = manifest.with_splits(marks)
    config = SplitConfig(validation_tail=0.25)
    splits = divide(manifest, config, seed=0).table["split"].to_list()
    others = [split for split in splits if split != "test"]
    assert splits.count("test") == 2
    assert others == ["train"] * 6 + ["validation"] * 2


@pytest.mark.slow
def test_the_keras_example_from_clips_to_bundle(tmp_path: Path) -> None:
    clips = write_set(tmp_path / "clips", groups=3)
    write_clip(clips / "light" / "v_light_g00_c02.avi", "light", frames=24)
    manifest = Manifest.from_source(clips)
    config = run_config("keras-example", features={"weights": "random"})
    result = train(manifest, tmp_path / "run", config)
    extraction = extract(manifest, feature_extractor(config.features))
    assert extraction.reused == len(manifest) == 7
    features, mask = pad_clips([clip for clip in extraction.clips if clip is not None], 20)
    assert features.shape == (7, 20, 2048)
    # The clips have 8 frames, but one has more than enough.
    long = [path.endswith("c02.avi") for path in manifest.table["video"]]
    assert mask.sum(1).tolist() == [20 if is_long else 8 for is_long in long]
    assert (mask == (np.arange(20) < mask.sum(1, keepdims=True))).all()
    assert not features[~mask].any()
    bundle = Bundle.load(result.bundle)
    assert bundle.labels == sorted(LABELS)
    head = bundle.info.first
    assert (head.width, head.frames, head.head) == (2048, 20, "gru")
    assert len(pl.read_csv(tmp_path / "run" / names.HISTORY)) == 10
