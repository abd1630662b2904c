"""The rule by which heads are chosen, and the heads that a task allows."""

from __future__ import annotations

import numpy as np
import pytest

from ordered_clips import TASK, D, grouped, ordered, told_apart_by_mean
from vidclass.config import RunConfig
from vidclass.errors import ConfigError
from vidclass.heads import heads
from vidclass.tasks.base import LabelTask
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.training.examples import Examples
from vidclass.training.head_comparison import HeadPredictions
from vidclass.training.head_selection import (
    ASKED_FOR,
    HeadChoice,
    choose_head,
    require_heads,
    sample_groups,
    select_head,
)
from vidclass.training.presets import run_config

CHEAP = "auto(mean, mean_std, temporal)"


def choose(config: RunConfig, data: Examples, task: LabelTask = TASK) -> HeadChoice:
    return choose_head(grouped(len(data)), data, config, task=task)


def test_a_head_that_sees_order_is_chosen_where_order_tells() -> None:
    choice = choose(run_config(head=CHEAP), ordered(48))
    assert choice.heads == ("temporal",)
    assert choice.why == (
        "it has the lowest log loss, and nothing simpler is within one standard error of it"
    )
    rows = {row.head: row for row in choice.compared}
    assert set(rows) == {"mean", "mean_std", "temporal", *(r for r in rows if " + " in r)}
    assert rows["temporal"].accuracy > 0.9 > 0.75 > rows["mean"].accuracy
    assert rows["temporal"].parameters == 4 * D * 2 + 2
    assert [row.folds for row in choice.compared] == [4] * 4


def test_the_simplest_is_chosen_where_nothing_more_is_needed() -> None:
    assert choose(run_config(head=CHEAP), told_apart_by_mean(48)).heads == ("mean",)


def test_the_same_seed_gives_the_same_choice() -> None:
    data = ordered(32, noise=1.5)
    config = run_config(head="auto(mean, attention)", training={"epochs": 2})
    first, second = choose(config, data), choose(config, data)
    assert first.heads == second.heads
    assert [row.loss for row in first.compared] == [row.loss for row in second.compared]


def test_one_name_needs_no_comparison() -> None:
    assert choose(run_config(head="gru"), ordered(8)) == HeadChoice(("gru",), ASKED_FOR)
    assert choose(run_config(head="auto(gru)"), ordered(8)).heads == ("gru",)


def test_with_too_few_groups_the_default_is_taken_and_the_reason_given() -> None:
    choice = choose(run_config(), ordered(4))
    assert (choice.heads, choice.compared) == (("temporal",), [])
    assert choice.why.startswith("the clips allow no comparison (")
    assert choose(run_config(head="auto(mean, gru)"), ordered(4)).heads == ("mean",)


def test_many_clips_are_sampled_by_whole_groups_of_every_class() -> None:
    clips = grouped(100, clips_per_group=4)
    rows = sample_groups(clips, 0, count=21)
    assert 21 <= len(rows) < 30
    sample = clips.at(rows)
    assert set(sample.labels) == {"a", "b"}
    assert np.bincount(sample.numbers).tolist() == [4] * (len(rows) // 4)
    np.testing.assert_array_equal(rows, sample_groups(clips, 0, count=21))
    np.testing.assert_array_equal(sample_groups(clips, 0), np.arange(100))


def predictions(losses: list[float], *, folds: int = 4) -> HeadPredictions:
    """A head that gives the true class a probability of exp(-loss)."""
    likelihoods = np.exp(-np.array(losses))
    probabilities = np.stack([likelihoods, 1 - likelihoods], 1)
    count = len(losses)
    return HeadPredictions(probabilities, np.zeros(count, int), np.arange(count), folds, 1.0)


def test_within_one_standard_error_the_simpler_wins() -> None:
    near = {"big": predictions([0.1, 0.3, 0.2, 0.4]), "small": predictions([0.2, 0.3, 0.1, 0.5])}
    choice = select_head(near, {"big": 100, "small": 10})
    assert choice.heads == ("small",)
    assert choice.why == (
        "its log loss is 0.025 above that of big, within one standard error (0.048), "
        "and it is simpler"
    )


def test_beyond_one_standard_error_the_best_wins() -> None:
    far = {"big": predictions([0.1, 0.3, 0.2, 0.4]), "small": predictions([0.6, 0.9, 0.7, 0.9])}
    assert select_head(far, {"big": 100, "small": 10}).heads == ("big",)


def test_two_heads_that_err_on_different_clips_are_averaged() -> None:
    heads = {"first": predictions([0.01, 2.0] * 6), "second": predictions([2.1, 0.01] * 6)}
    choice = select_head(heads, {"first": 1, "second": 1})
    assert choice.heads == ("first", "second")
    assert choice.name == "first + second"
    assert choice.why.startswith("their mean has a log loss ")
    assert choice.compared[0].head == "first + second"


def test_a_head_that_was_dropped_is_not_chosen() -> None:
    heads = {"whole": predictions([0.5] * 4), "dropped": predictions([0.0] * 4, folds=1)}
    assert select_head(heads, {"whole": 10, "dropped": 1}).heads == ("whole",)


def test_heads_that_share_out_one_probability_are_refused_for_several_labels() -> None:
    several = MultiLabelTask(("a", "b"))
    with pytest.raises(ConfigError, match=r"head='rolling_average\(window=3\)' shares out one"):
        require_heads(run_config(head="rolling_average(window=3)"), several)
    require_heads(run_config(head="rolling_average"), HierarchyTask(("a", "b")))
    with pytest.raises(ConfigError, match="head='gruu'"):
        require_heads(RunConfig(head="gruu"), several)
    for name, head in heads().items():
        if head.independent:
            require_heads(run_config(head=name), several)


def test_settings_of_training_that_do_not_suit_the_labels_or_the_head_are_refused() -> None:
    reverse = {"augment": {"reverse": 0.5, "reverse_labels": {"a": "c"}}}
    with pytest.raises(ConfigError, match=r"label in augment.reverse_labels='c' is not one of"):
        require_heads(run_config(head="gru", training=reverse), TASK)
    with pytest.raises(ConfigError, match="the head 'mean' does not see the order of the frames"):
        require_heads(run_config(head="auto(mean, gru)", training=reverse), TASK)
    with pytest.raises(ConfigError, match="loss='focal' is for single-label classifiers"):
        require_heads(run_config(training={"loss": "focal"}), MultiLabelTask(("a", "b")))


def test_heads_of_several_labels_are_not_compared() -> None:
    choice = choose(run_config(head="auto"), ordered(8), MultiLabelTask(("a", "b")))
    assert choice == HeadChoice(("temporal",), "multi-label heads are not compared")
