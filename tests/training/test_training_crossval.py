from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import JobFailedError, SplitError, VideoError
from vidclass.features.extract import Extraction
from vidclass.training import crossval as module
from vidclass.training.crossval import CrossValidation, cross_validate
from vidclass.training.recipes import run_config
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
    return Manifest(Rows.of(columns, ["a note"]).table, ("a note",))


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
        def extract(manifest: Manifest, maker: object, **rest: object) -> Extraction:
            made = {
                str(row): features_of_row(row, (classes or [0, 1] * len(manifest))[row], noise)
                for row in range(len(manifest))
                if row not in failing
            }
            keys = [str(row) if str(row) in made else None for row in range(len(manifest))]
            error = VideoError("bad.avi", "it is empty")
            failures = [Failure.of("bad.avi", error) for _ in failing]
            return Extraction(manifest, keys, Kept(made), failures, 0)

        monkeypatch.setattr(module, "extract", extract)
        monkeypatch.setattr(module, "feature_maker", lambda config, manifest, progress: None)

    install()
    return install


def run(manifest: Manifest, config: RunConfig = CONFIG, folds: int = 3) -> CrossValidation:
    return cross_validate(manifest, config, folds=folds)


FOLDS = [0, 0, 0, 0, 4, 4, 4, 4, 7, 7, 7, 7]


def test_given_folds_are_honoured(extracted: Callable[..., None]) -> None:
    result = run(twelve(FOLDS), folds=5)
    assert [(fold.fold, fold.videos) for fold in result.folds] == [(0, 4), (4, 4), (7, 4)]
    assert result.accuracy_mean == np.mean([fold.accuracy for fold in result.folds]) > 0.9
    assert result.accuracy_std == np.std([fold.accuracy for fold in result.folds])
    assert result.notes == ("a note",)


def test_drawn_folds_share_no_group_and_cover_every_clip(extracted: Callable[..., None]) -> None:
    told: list[tuple[str, int, int]] = []
    result = cross_validate(twelve(), CONFIG, folds=3, progress=lambda *step: told.append(step))
    assert [fold.fold for fold in result.folds] == [0, 1, 2]
    assert sum(fold.videos for fold in result.folds) == result.pooled.videos == 12
    assert told == [("folds", done, 9) for done in range(1, 10)]


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


def test_labels_of_a_test_fold_change_no_prediction_on_it(
    monkeypatch: pytest.MonkeyPatch, extracted: Callable[..., None]
) -> None:
    predicted: list[np.ndarray[Any, Any]] = []
    original = module._predict_fold

    def spy(*args: Any) -> Any:
        found = original(*args)
        predicted.append(found[0])
        return found

    monkeypatch.setattr(module, "_predict_fold", spy)
    labels = ["a", "b"] * 6
    run(listed(labels, [row // 2 for row in range(12)], FOLDS))
    swapped = ["b", "a"] * 2 + labels[4:]
    run(listed(swapped, [row // 2 for row in range(12)], FOLDS))
    np.testing.assert_array_equal(predicted[0], predicted[3])
    assert np.abs(predicted[1] - predicted[4]).max() > 1e-3  # the other folds did learn from them


def test_failed_clips_are_counted_and_in_no_score(extracted: Callable[..., None]) -> None:
    extracted(failing=(0, 5))
    result = run(twelve(FOLDS))
    assert [fold.videos for fold in result.folds] == [3, 3, 4]
    value = result.to_json()
    assert (value["videos"], value["failed"]) == (10, 2)
    extracted(failing=tuple(range(12)))
    with pytest.raises(JobFailedError, match="none of the 12 clips could be read.*bad.avi: it is"):
        run(twelve(FOLDS))


def test_a_class_of_which_nothing_can_be_read_is_in_no_score(
    extracted: Callable[..., None],
) -> None:
    extracted(failing=(0, 6), classes=[2, 0, 1, 0, 1, 0] * 2)
    labels = ["aa", "b", "c", "b", "c", "b"] * 2
    result = run(listed(labels, list(range(12)), [0] * 6 + [1] * 6))
    assert result.pooled.labels == ["b", "c"]
    assert result.accuracy_mean > 0.9


def test_too_few_groups_are_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "extract", lambda *_, **__: pytest.fail("too early"))
    with pytest.raises(SplitError, match="Use --folds 6"):
        run(twelve(), folds=7)


def test_without_a_group_to_spare_all_is_learned_from(
    monkeypatch: pytest.MonkeyPatch, extracted: Callable[..., None]
) -> None:
    seen = []
    original = module.fit_head
    monkeypatch.setattr(
        module, "fit_head", lambda *args, **rest: seen.append(rest) or original(*args, **rest)
    )
    run(listed(["a", "b"] * 2, [0, 0, 1, 1]), folds=2)
    assert [call["validation"] for call in seen] == [None, None]
