from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from vidclass.config import FeatureConfig, RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, JobFailedError, SplitError, VideoError
from vidclass.features import extract as extract_module
from vidclass.features.extract import Extraction
from vidclass.features.extractor import FeatureExtractor
from vidclass.training import ensemble, views
from vidclass.training.crossval import CrossValidation, cross_validate
from vidclass.training.out_of_fold import FoldResult, OutOfFold
from vidclass.training.presets import run_config
from vidclass.types import ClipFeatures, Failure

D = 6
CONFIG = run_config(
    head="mean", features={"frames": 3}, training={"epochs": 3, "learning_rate": 0.05}
)

Extract = Callable[[Manifest], Extraction]


def listed(labels: list[str], groups: list[int], folds: list[int] | None = None) -> Manifest:
    columns: dict[str, Any] = {
        "video": [f"/clips/{row:02}.avi" for row in range(len(labels))],
        "label": labels,
        "group": [f"g{group}" for group in groups],
    }
    if folds is not None:
        columns["fold"] = folds
    return Manifest(Rows.from_columns(columns, ["a note"]).table, ("a note",))


def twelve(folds: list[int] | None = None) -> Manifest:
    """Twelve clips of two classes in six groups."""
    return listed(["a", "b"] * 6, [row // 2 for row in range(12)], folds)


def features_of_row(row: int, klass: int, noise: float = 0.3) -> ClipFeatures:
    values = np.random.default_rng(row).normal(0, noise, (3, D))
    values[:, klass] += 1
    return ClipFeatures(values.astype(np.float16), np.arange(3.0))


class Kept:
    """Features in memory."""

    def __init__(self, clips: dict[str, ClipFeatures]) -> None:
        self._clips = clips

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        return {key: self._clips[key] for key in keys}


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stand in for the extraction: features by row, some rows failing."""

    def install(
        failing: tuple[int, ...] = (), classes: list[int] | None = None, noise: float = 0.3
    ) -> None:
        def extract(manifest: Manifest, *rest: object) -> Extraction:
            features = {
                str(row): features_of_row(row, (classes or [0, 1] * len(manifest))[row], noise)
                for row in range(len(manifest))
                if row not in failing
            }
            keys = [str(row) if str(row) in features else None for row in range(len(manifest))]
            error = VideoError("bad.avi", "it is empty")
            failures = [Failure.from_error(error, video="bad.avi") for _ in failing]
            return Extraction(manifest, keys, Kept(features), failures, 0)

        def extractor(config: FeatureConfig, *rest: object, **more: object) -> FeatureExtractor:
            return FeatureExtractor(
                config, config.model_dump_json(), D, lambda: pytest.fail("opened")
            )

        monkeypatch.setattr(extract_module, "extract_features", extract)
        monkeypatch.setattr(views, "feature_extractor", extractor)

    install()
    return install


def run(manifest: Manifest, config: RunConfig = CONFIG, folds: int = 3) -> CrossValidation:
    return cross_validate(manifest, config, folds=folds)


FOLDS = [0, 0, 0, 0, 4, 4, 4, 4, 7, 7, 7, 7]


def test_given_folds_are_honoured(extracted: Callable[..., None]) -> None:
    result = run(twelve(FOLDS), folds=5)
    assert [(fold.fold, fold.metrics.videos) for fold in result.folds] == [(0, 4), (4, 4), (7, 4)]
    assert result.accuracy_mean == np.mean([fold.metrics.accuracy for fold in result.folds]) > 0.9
    assert result.accuracy_std == np.std([fold.metrics.accuracy for fold in result.folds])
    assert result.notes == ("a note",)


def test_drawn_folds_share_no_group_and_cover_every_clip(extracted: Callable[..., None]) -> None:
    steps: list[tuple[str, int, int]] = []
    result = cross_validate(twelve(), CONFIG, folds=3, progress=lambda *step: steps.append(step))
    assert [fold.fold for fold in result.folds] == [0, 1, 2]
    assert sum(fold.metrics.videos for fold in result.folds) == result.pooled.videos == 12
    assert steps == [("folds", done, 9) for done in range(1, 10)]


def test_each_fold_is_reported_and_can_stop_the_work(extracted: Callable[..., None]) -> None:
    reported: list[FoldResult] = []
    result = cross_validate(twelve(FOLDS), CONFIG, on_fold=reported.append)
    assert reported == result.folds

    def enough(fold: FoldResult) -> None:
        reported.append(fold)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        cross_validate(twelve(FOLDS), CONFIG, on_fold=enough)
    assert reported == [*result.folds, result.folds[0]]


def test_near_duplicates_are_joined_before_folds_are_drawn(
    extracted: Callable[..., None],
) -> None:
    near = run_config(
        head="mean",
        features={"frames": 3},
        training={"epochs": 1},
        split={"groups": "near-duplicates"},
    )
    extracted(noise=0.01)  # all clips of a class are nearly the same: it becomes one group
    labels, groups = ["a", "b"] * 6, list(range(12))
    with pytest.raises(SplitError, match=r"'a' has 1 group \(6 clips\), 'b' has 1 group"):
        run(listed(labels, groups), near)
    assert len(run(listed(labels, groups)).folds) == 3


def test_the_json_shape(extracted: Callable[..., None]) -> None:
    value = run(twelve(FOLDS)).to_json()
    assert list(value) == [
        "schema", "accuracy_mean", "accuracy_std", "folds", "head", "backbone", "seed", "videos",
        "failed", "failed_by_class", "macro_f1", "labels", "confusion", "config",
    ]  # fmt: skip
    assert value["schema"] == 1
    assert list(value["folds"][0]) == ["fold", "accuracy", "videos"]
    assert (value["head"], value["backbone"]) == ("mean", "efficientnet_lite0")
    assert (value["videos"], value["failed"], value["labels"]) == (12, 0, ["a", "b"])
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("head", ["attention", "auto(mean, temporal)"])
def test_labels_of_a_test_fold_change_no_prediction_on_it(
    head: str, monkeypatch: pytest.MonkeyPatch, extracted: Callable[..., None]
) -> None:
    config = run_config(head=head, features={"frames": 3}, training={"epochs": 3})
    predicted: list[np.ndarray[Any, Any]] = []
    original = OutOfFold.add

    def spy(self: OutOfFold, *args: Any, **rest: Any) -> FoldResult:
        predicted.append(args[-1])
        return original(self, *args, **rest)

    monkeypatch.setattr(OutOfFold, "add", spy)
    labels = ["a", "b"] * 6
    run(listed(labels, [row // 2 for row in range(12)], FOLDS), config)
    swapped = ["b", "a"] * 2 + labels[4:]
    run(listed(swapped, [row // 2 for row in range(12)], FOLDS), config)
    np.testing.assert_array_equal(predicted[0], predicted[3])
    assert np.abs(predicted[1] - predicted[4]).max() > 1e-5  # the other folds were trained on them


def test_failed_clips_are_counted_and_in_no_score(extracted: Callable[..., None]) -> None:
    extracted(failing=(0, 5))
    result = run(twelve(FOLDS))
    assert [fold.metrics.videos for fold in result.folds] == [3, 3, 4]
    value = result.to_json()
    assert (value["videos"], value["failed"]) == (10, 2)
    extracted(failing=tuple(range(12)))
    with pytest.raises(JobFailedError, match="none of the 12 clips could be read.*bad.avi: it is"):
        run(twelve(FOLDS))


def test_a_class_without_readable_clips_is_in_no_score(
    extracted: Callable[..., None],
) -> None:
    extracted(failing=(0, 6), classes=[2, 0, 1, 0, 1, 0] * 2)
    labels = ["aa", "b", "c", "b", "c", "b"] * 2
    result = run(listed(labels, list(range(12)), [0] * 6 + [1] * 6))
    assert result.pooled.labels == ["b", "c"]
    assert result.accuracy_mean > 0.9


def test_too_few_groups_are_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        extract_module, "extract_features", lambda *_, **__: pytest.fail("too early")
    )
    with pytest.raises(SplitError, match="Use folds=6"):
        run(twelve(), folds=7)


def test_without_a_group_to_hold_out_all_clips_are_trained_on(
    monkeypatch: pytest.MonkeyPatch, extracted: Callable[..., None]
) -> None:
    seen = []
    original = ensemble.fit_head
    monkeypatch.setattr(
        ensemble, "fit_head", lambda *args, **rest: seen.append(rest) or original(*args, **rest)
    )
    run(listed(["a", "b"] * 2, [0, 0, 1, 1]), folds=2)
    assert [call["validation"] for call in seen] == [None, None]


def test_heads_are_chosen_fold_by_fold_and_the_json_says_which(
    extracted: Callable[..., None],
) -> None:
    config = run_config(head="auto(mean, temporal)", features={"frames": 3})
    numbers: list[int] = []
    result = cross_validate(twelve(FOLDS), config, on_fold=lambda fold: numbers.append(fold.fold))
    assert numbers == [0, 4, 7]
    assert {fold.heads for fold in result.folds} <= {"mean", "temporal", "mean + temporal"}
    value = result.to_json()
    assert value["head"] == "auto(mean, temporal)"
    assert [fold["heads"] for fold in value["folds"]] == [fold.heads for fold in result.folds]
    assert all(len(fold.choices[0].compared) == 3 for fold in result.folds)


def test_two_views_and_mirror_images_are_averaged(extracted: Callable[..., None]) -> None:
    config = CONFIG.model_copy(
        update={"more": (FeatureConfig(backbone="efficientnet_lite2"),), "flip": True}
    )
    alone, together = run(twelve(FOLDS)), run(twelve(FOLDS), config)
    # The stand-in gives the same features everywhere, so every head predicts the mean.
    assert together.pooled.accuracy == alone.pooled.accuracy
    swapped = config.model_copy(update={"swap_labels": {"a": "b"}})
    # A mirror image that looks the same but has the other class can only confuse.
    assert run(twelve(FOLDS), swapped).pooled.accuracy < alone.pooled.accuracy


def test_labels_to_swap_must_exist(extracted: Callable[..., None]) -> None:
    config = CONFIG.model_copy(update={"flip": True, "swap_labels": {"a": "c"}})
    with pytest.raises(ConfigError, match=r"label in swap_labels='c' is not one of \['a', 'b'\]"):
        run(twelve(FOLDS), config)
