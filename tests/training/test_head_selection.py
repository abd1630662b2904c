from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError
from vidclass.heads import heads
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training import head_comparison as racing
from vidclass.training import head_selection as module
from vidclass.training import logistic as solving
from vidclass.training.ensemble import fit
from vidclass.training.fit import Examples, FittedHead, fit_head
from vidclass.training.head_comparison import HeldOut, race
from vidclass.training.head_selection import (
    ASKED_FOR,
    HeadChoice,
    choice,
    choose_head,
    require_head_for,
)
from vidclass.training.logistic import ExactHead, fit_exactly
from vidclass.training.presets import run_config

T, D = 6, 8
TASK = SingleLabelTask(("a", "b"))


def listed(count: int, *, clips_a_group: int = 2) -> Manifest:
    """Clips of two classes, in groups of one class each."""
    groups = [row // clips_a_group for row in range(count)]
    columns: dict[str, Any] = {
        "video": [f"/clips/{row:03}.avi" for row in range(count)],
        "label": ["ab"[group % 2] for group in groups],
        "group": [f"g{group}" for group in groups],
    }
    return Manifest(Rows.from_columns(columns).table)


def ordered(clips: Manifest, *, noise: float = 0.5) -> Examples:
    """Films that are bright first in class a, and last in class b: only order tells them apart."""
    rng = np.random.default_rng(0)
    truth = np.array([clips.labels.index(label) for label in clips.table["label"]])
    ramp = np.where(truth[:, None] == 0, 1.0, -1.0) * np.linspace(1, -1, T)
    features = rng.normal(0, noise, (len(truth), T, D))
    features[:, :, 0] += ramp
    return Examples(features.astype(np.float32), np.ones((len(truth), T), bool), truth)


def told_apart_by_mean(clips: Manifest) -> Examples:
    data = ordered(clips)
    features = data.features.copy()
    features[:, :, 0] = np.where(data.targets[:, None] == 0, 1.0, -1.0)
    return Examples(features, data.mask, data.targets)


def chosen(config: RunConfig, clips: Manifest, data: Examples) -> HeadChoice:
    return choose_head(clips, data, config, task=TASK)


CHEAP = "auto(mean, mean_std, temporal)"


def test_a_head_that_sees_order_is_chosen_where_order_tells() -> None:
    clips = listed(48)
    found = chosen(run_config(head=CHEAP), clips, ordered(clips))
    assert found.heads == ("temporal",)
    assert found.why == (
        "it has the lowest log loss, and nothing simpler is within one standard error of it"
    )
    rows = {row.head: row for row in found.compared}
    assert set(rows) == {"mean", "mean_std", "temporal", *(r for r in rows if " + " in r)}
    assert rows["temporal"].accuracy > 0.9 > 0.75 > rows["mean"].accuracy
    assert rows["temporal"].parameters == 4 * D * 2 + 2
    assert [row.folds for row in found.compared] == [4] * 4


def test_the_simplest_is_chosen_where_nothing_more_is_needed() -> None:
    clips = listed(48)
    found = chosen(run_config(head=CHEAP), clips, told_apart_by_mean(clips))
    assert found.heads == ("mean",)


def test_the_same_seed_gives_the_same_choice() -> None:
    clips = listed(32)
    data = ordered(clips, noise=1.5)
    config = run_config(head="auto(mean, attention)", training={"epochs": 2})
    one, two = chosen(config, clips, data), chosen(config, clips, data)
    assert one.heads == two.heads
    assert [row.loss for row in one.compared] == [row.loss for row in two.compared]


def test_one_name_needs_no_comparison() -> None:
    clips = listed(8)
    data = ordered(clips)
    assert chosen(run_config(head="gru"), clips, data) == HeadChoice(("gru",), ASKED_FOR)
    assert chosen(run_config(head="auto(gru)"), clips, data).heads == ("gru",)


def test_too_few_groups_for_a_comparison_take_the_default_and_say_so() -> None:
    clips = listed(4)
    found = chosen(run_config(), clips, ordered(clips))
    assert (found.heads, found.compared) == (("temporal",), [])
    assert found.why.startswith("the clips allow no comparison (")
    assert chosen(run_config(head="auto(mean, gru)"), clips, ordered(clips)).heads == ("mean",)


def test_many_clips_are_compared_by_whole_groups_of_every_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_CLIPS", 21)
    clips = listed(100, clips_a_group=4)
    rows = module._sample(clips, 0)
    assert 21 <= len(rows) < 30
    table = clips.table[rows.tolist()]
    assert set(table["label"]) == {"a", "b"}
    counts = table.group_by("group").len()["len"].to_list()
    assert counts == [4] * len(counts)
    np.testing.assert_array_equal(rows, module._sample(clips, 0))


def held(losses: list[float], *, folds: int = 4) -> HeldOut:
    """A head that gives the true class a probability of exp(-loss)."""
    right = np.exp(-np.array(losses))
    probabilities = np.stack([right, 1 - right], 1)
    count = len(losses)
    return HeldOut(probabilities, np.zeros(count, int), np.arange(count), folds, 1.0)


def test_within_one_standard_error_the_simpler_wins() -> None:
    near = {"big": held([0.1, 0.3, 0.2, 0.4]), "small": held([0.2, 0.3, 0.1, 0.5])}
    found = choice(near, {"big": 100, "small": 10})
    assert found.heads == ("small",)
    assert found.why == (
        "its log loss is 0.025 above that of big, within one standard error (0.048), "
        "and it is simpler"
    )


def test_beyond_one_standard_error_the_best_wins() -> None:
    far = {"big": held([0.1, 0.3, 0.2, 0.4]), "small": held([0.6, 0.9, 0.7, 0.9])}
    assert choice(far, {"big": 100, "small": 10}).heads == ("big",)


def test_two_heads_that_err_on_different_clips_are_averaged() -> None:
    # Where the one is sure and right the other is at a loss.
    one, other = [0.01, 2.0] * 6, [2.1, 0.01] * 6
    found = choice({"one": held(one), "other": held(other)}, {"one": 1, "other": 1})
    assert found.heads == ("one", "other")
    assert found.name == "one + other"
    assert found.why.startswith("their mean has a log loss ")
    assert found.compared[0].head == "one + other"


def test_who_left_the_race_is_not_chosen() -> None:
    found = {"whole": held([0.5] * 4), "left": held([0.0] * 4, folds=1)}
    assert choice(found, {"whole": 10, "left": 1}).heads == ("whole",)


def test_the_hopeless_leave_early(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = listed(48)
    data = ordered(clips)
    asked = []

    def poor(name: str, *_: object, asked_rows: object = None, **rows: Any) -> NDArray[np.float64]:
        asked.append(name)
        return np.full((len(rows["asked"]), 2), 0.5)

    monkeypatch.setattr(racing, "_fitted", poor)
    told: list[tuple[str, int, int]] = []
    found = race(
        ["bigru", "temporal"],
        clips,
        data,
        run_config(),
        groups=np.arange(48) // 2,
        assigned=np.arange(48) // 12,
        progress=lambda *step: told.append(step),
    )
    assert asked == ["bigru"]
    assert (found["bigru"].folds, found["temporal"].folds) == (1, 4)
    assert found["bigru"].asked.sum() == 12
    assert found["bigru"].accuracy == pytest.approx(0.5)
    assert told[-1] == ("compare", 8, 8)
    assert [step[1] for step in told] == sorted(step[1] for step in told)


@pytest.mark.parametrize("head", ["mean", "mean_std", "temporal"])
def test_the_exact_solution_is_about_that_of_training_by_gradients(head: str) -> None:
    clips = listed(60)
    data = ordered(clips, noise=0.8) if head == "temporal" else told_apart_by_mean(clips)
    rows, asked = np.arange(40), np.arange(40, 60)
    exact = ExactHead.of(head, data, classes=2)
    assert exact is not None
    exact.fit(rows)
    found = exact.probabilities(asked)
    assert found.shape == (20, 2)
    np.testing.assert_allclose(found.sum(1), 1)
    fitted = fit_head(head, data.at(rows), heads()[head].training, task=TASK)
    learnt = fitted.probabilities(data.at(asked))
    assert (found.argmax(1) == learnt.argmax(1)).mean() >= 0.9
    # The weights are in the model itself.
    said = FittedHead(exact.model, TASK, [], 1).probabilities(data.at(asked))
    np.testing.assert_allclose(said, found, atol=1e-5)


@pytest.mark.parametrize("unseen", [0, 2])
def test_a_class_without_clips_is_as_good_as_impossible(unseen: int) -> None:
    clips = listed(20)
    data = ordered(clips)
    truth = data.targets + 1 if unseen == 0 else data.targets
    exact = ExactHead.of("temporal", replace(data, targets=truth), classes=3)
    assert exact is not None
    exact.fit(np.arange(16))
    found = exact.probabilities(np.arange(20))
    assert found[:, unseen].max() < 1e-9
    assert (found.argmax(1) == truth).mean() > 0.9


def test_solving_says_what_the_validation_clips_showed_and_then_learns_from_all() -> None:
    clips = listed(60)
    data = ordered(clips, noise=0.8)
    training, validation = data.at(np.arange(40)), data.at(np.arange(40, 60))
    fitted = fit_exactly("temporal", training, task=TASK, validation=validation)
    assert fitted is not None
    alone = fit_exactly("temporal", training, task=TASK)
    assert alone is not None
    truth, found = fitted.validation or pytest.fail("it was given")
    np.testing.assert_array_equal(truth, validation.targets)
    np.testing.assert_allclose(found, alone.probabilities(validation), atol=1e-5)
    together = fit_exactly("temporal", data, task=TASK)
    assert together is not None
    np.testing.assert_allclose(fitted.probabilities(data), together.probabilities(data), atol=1e-5)
    [row] = fitted.history
    assert list(row) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert row["val_loss"] == pytest.approx(-np.log(found[np.arange(20), truth]).mean())
    assert fitted.exact


def test_what_is_not_solved_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ordered(listed(20))
    assert fit_exactly("gru", data, task=TASK) is None
    plain, given = run_config(head="mean"), run_config(head="mean", training={"epochs": 2})
    seeded = run_config(head="mean", training={"seed": 3})
    solved = [
        fit("mean", data, config, task=TASK, validation=None).exact
        for config in (plain, seeded, given)
    ]
    assert solved == [True, True, False]
    monkeypatch.setattr(solving, "MOST_CLIPS", 19)
    assert fit_exactly("mean", data, task=TASK) is None


@pytest.mark.parametrize("head", ["prototype", "rolling_average", "gru", "attention"])
def test_heads_that_are_not_linear_in_fixed_views_are_not_solved_so(head: str) -> None:
    assert ExactHead.of(head, ordered(listed(8)), classes=2) is None


def test_heads_that_share_out_one_probability_are_refused_for_several_labels() -> None:
    several = MultiLabelTask(("a", "b"))
    with pytest.raises(ConfigError, match=r"head='rolling_average\(window=3\)' shares out one"):
        require_head_for("rolling_average(window=3)", several)
    require_head_for("rolling_average", HierarchyTask(("a", "b")))
    with pytest.raises(ConfigError, match="head='gruu'"):
        require_head_for("gruu", several)
    for name, head in heads().items():
        if head.independent:
            require_head_for(name, several)


def test_heads_of_several_labels_are_not_compared() -> None:
    clips = listed(8)
    choice = choose_head(
        clips, ordered(clips), run_config(head="auto"), task=MultiLabelTask(("a", "b"))
    )
    assert choice == HeadChoice(("temporal",), "multi-label heads are not compared")
