from __future__ import annotations

import json

import numpy as np
import pytest

from vidclass.bundle.format import parse_info
from vidclass.config import FeatureConfig
from vidclass.errors import BundleError
from vidclass.tasks.answers import AnswerRule, level_scores, probabilities_of, sigmoid
from vidclass.tasks.label_scheme import LabelScheme

SEVERAL = AnswerRule(LabelScheme(("a", "b", "c"), "multi-label"), (0.5, 0.2, 0.9))
LEVELS = AnswerRule(LabelScheme(("s/x", "s/y", "t"), "hierarchy"))
SINGLE = AnswerRule(LabelScheme(("a", "b", "c")), unknown_below=0.6)


def test_logits_become_what_the_kind_wants() -> None:
    logits = np.array([[0.0, 2.0, -2.0]], np.float32)
    several = probabilities_of(logits, "multi-label")
    np.testing.assert_allclose(several, [[0.5, 0.880797, 0.119203]], atol=1e-6)
    for kind in ("single-label", "hierarchy"):
        assert probabilities_of(logits, kind).sum() == pytest.approx(1)  # type: ignore[arg-type]


def test_sigmoid_is_stable() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([1e5, -1e5, 0.0])), [1, 0, 0.5])


def test_labels_are_those_at_their_thresholds_most_probable_first() -> None:
    answer = SEVERAL.answer(np.array([0.5, 0.6, 0.89]))
    assert answer is not None
    # The most probable class of all does not reach its own threshold.
    assert (answer.label, answer.probability) == ("b", 0.6)
    assert answer.more == {"labels": ["b", "a"], "none_of_these": False}


def test_none_of_these_has_no_label_and_the_highest_probability() -> None:
    answer = SEVERAL.answer(np.array([0.4, 0.1, 0.8]))
    assert answer is not None
    assert (answer.label, answer.probability) == (None, 0.8)
    assert answer.more == {"labels": [], "none_of_these": True}


def test_half_is_the_threshold_where_there_is_none() -> None:
    rule = AnswerRule(LabelScheme(("a", "b"), "multi-label"))
    assert rule.chosen(np.array([[0.5, 0.49]])).tolist() == [[True, False]]


def test_a_level_may_be_sure_where_the_leaves_are_not() -> None:
    answer = LEVELS.answer(np.array([0.3, 0.31, 0.39]))
    assert answer is not None
    assert (answer.label, answer.probability) == ("t", 0.39)
    top, leaf = answer.more["levels"]
    assert (top["level"], top["label"], leaf["level"], leaf["label"]) == (1, "s", 2, "t")
    assert top["probability"] == pytest.approx(0.61)
    for _, nodes, scores in level_scores(LEVELS.scheme, np.array([[0.3, 0.31, 0.39]])):
        assert scores.shape == (1, len(nodes))
        assert scores.sum() == pytest.approx(1)


def test_unknown_only_where_it_is_asked_for() -> None:
    unsure, sure = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.6, 0.2])
    assert SINGLE.answer(unsure) is None
    answer = SINGLE.answer(unsure, unknown=True)
    assert answer is not None
    assert (answer.label, answer.probability, answer.more) == (None, 0.5, {"unknown": True})
    answer = SINGLE.answer(sure, unknown=True)
    assert answer is not None
    assert (answer.label, answer.probability, answer.more) == ("b", 0.6, {"unknown": False})


def described(**changes: object) -> bytes:
    info = {
        "labels": ["a", "b"], "features": FeatureConfig().model_dump(), "feature_fingerprint": "f",
        "head": "mean", "width": 4, "route": "keras", "versions": {}, "data_fingerprint": "d",
        "trained_on": 1, "sha256": {"head.xml": "", "head.bin": ""},
    }  # fmt: skip
    return json.dumps(info | changes).encode()


def test_a_description_from_before_answers_with_the_most_probable_class() -> None:
    rule = parse_info(described(), "old").rule
    assert rule == AnswerRule(LabelScheme(("a", "b")))
    assert rule.answer(np.array([0.1, 0.9])) is None


def test_a_description_keeps_how_it_answers() -> None:
    info = parse_info(described(task="multi-label", none_label="bg", thresholds=[0.25, 0.5]), "new")
    assert info.rule == AnswerRule(LabelScheme(("a", "b"), "multi-label", "bg"), (0.25, 0.5))
    with pytest.raises(BundleError, match="odd: the description inside has 1 thresholds for 2 lab"):
        parse_info(described(task="multi-label", thresholds=[0.25]), "odd")
