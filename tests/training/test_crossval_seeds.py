from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.features.extract import Extraction
from vidclass.tasks.metrics import SingleLabelMetrics, single_label_metrics
from vidclass.training.crossval import CrossValidation, SeedsResult, cross_validate_seeds
from vidclass.training.out_of_fold import FoldResult
from vidclass.training.presets import run_config

MANIFEST = Manifest(Rows.from_columns({"video": ["/a.avi", "/b.avi"], "label": ["a", "b"]}).table)
RIGHT = {5: (0.5, 0.7), 6: (0.7, 0.9), 7: (0.9, 0.9)}


def metrics(accuracy: float, clips: int) -> SingleLabelMetrics:
    y_true = np.repeat([0, 1], clips // 2)
    predicted = np.where(np.arange(clips) < round(clips * accuracy), y_true, 1 - y_true)
    return single_label_metrics(np.eye(2)[predicted], y_true, ["a", "b"])


def fake(manifest: Manifest, config: RunConfig, **options: Any) -> CrossValidation:
    """Two folds whose accuracies follow from the seed."""
    for done in (1, 2):
        options["progress"]("folds", done, 2)
    options["progress"]("extract", 1, 1)
    assert (options["folds"], options["strict"]) == (2, True)
    accuracies = RIGHT[config.training.seed]
    folds = [FoldResult(number, metrics(value, 10)) for number, value in enumerate(accuracies)]
    pooled = metrics(float(np.mean(accuracies)), 20)
    extraction = cast(Extraction, SimpleNamespace(ok=2, failures=[]))
    return CrossValidation(config, folds, pooled, extraction, ())


@pytest.fixture
def result() -> SeedsResult:
    config = run_config(training={"seed": 5})
    steps: list[tuple[str, int, int]] = []
    seeds = cross_validate_seeds(
        MANIFEST, config, seeds=3, folds=2, strict=True, validate=fake,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip
    folds = [step for step in steps if step[0] == "folds"]
    assert folds == [("folds", done, 6) for done in range(1, 7)]
    assert steps.count(("extract", 1, 1)) == 3
    return seeds


def test_each_seed_is_tried_and_both_spreads_are_steps(result: SeedsResult) -> None:
    assert [run.config.training.seed for run in result.runs] == [5, 6, 7]
    assert result.runs[0].config.training == run_config(training={"seed": 5}).training
    assert result.accuracy_mean == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    assert result.std_over_seeds == pytest.approx(np.std([0.6, 0.8, 0.9]))
    assert result.std_over_folds == pytest.approx((0.1 + 0.1 + 0) / 3)
    low, high = result.accuracy_interval
    assert low == pytest.approx(np.mean([run.pooled.accuracy_interval[0] for run in result.runs]))
    assert low < result.accuracy_mean < high


def test_the_json_is_that_of_the_first_seed_and_more(result: SeedsResult) -> None:
    value = result.to_json()
    first = result.runs[0].to_json()
    assert {name: value[name] for name in first} == first
    assert [name for name in value if name not in first] == ["seeds", "over_seeds"]
    assert value["schema"] == 1
    assert [list(row) for row in value["seeds"]] == [
        ["seed", "accuracy_mean", "accuracy_std", "macro_f1"]
    ] * 3
    assert value["seeds"][1]["seed"] == 6
    assert value["seeds"][1]["accuracy_mean"] == pytest.approx(0.8)
    assert list(value["over_seeds"]) == [
        "accuracy_mean", "accuracy_std", "accuracy_std_over_folds", "accuracy_interval",
    ]  # fmt: skip
    assert json.loads(json.dumps(value)) == value
