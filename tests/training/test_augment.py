"""Changes to features: what must hold whatever chance draws, and what each one is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.config import AugmentConfig, TrainingConfig
from vidclass.errors import ConfigError
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.augment import (
    NEVER,
    augmented,
    frame_drop,
    jitter,
    mixup,
    reverse,
    reversed_classes,
)
from vidclass.training.examples import Examples
from vidclass.training.fit import fit_head

K = 3
TASK = SingleLabelTask(("early", "late"))


def batch(masks: list[list[bool]], seed: int = 0) -> tuple[Any, Any, Any]:
    """Features that say which clip and which step they are, non-zero only where real."""
    mask = np.array(masks, bool)
    clips, steps = np.indices(mask.shape)
    features = np.stack([clips + 1.0, steps + 1.0], -1).astype(np.float32)
    features[~mask] = 0
    truth = np.random.default_rng(seed).integers(0, K, len(mask))
    return features, mask, truth


def prefix(*counts: int, steps: int = 8) -> list[list[bool]]:
    return [[step < count for step in range(steps)] for count in counts]


masks = st.integers(1, 9).flatmap(
    lambda steps: st.lists(st.lists(st.booleans(), min_size=steps, max_size=steps), min_size=1,
                           max_size=6)
)  # fmt: skip
shares = st.floats(0, 0.99)
becomes = np.array([0, 2, NEVER])


def all_of_them(name: str, share: float, features: Any, mask: Any, truth: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if name == "drop":
        return frame_drop(features, mask, rng, share=share)
    if name == "jitter":
        return jitter(features, mask, rng, share=share)
    if name == "reverse":
        return reverse(features, mask, truth, rng, probability=share, becomes=becomes)
    targets = np.eye(K, dtype=np.float32)[truth]
    return mixup(features, mask, targets, rng, alpha=share + 0.01)


@pytest.mark.parametrize("name", ["drop", "jitter", "reverse", "mixup"])
@settings(max_examples=60, deadline=None)
@given(masks=masks, share=shares, seed=st.integers(0, 99))
def test_whatever_is_drawn(name: str, masks: list[list[bool]], share: float, seed: int) -> None:
    features, mask, truth = batch(masks)
    before = features.copy(), mask.copy(), truth.copy()
    augmented_clips = all_of_them(name, share, features, mask, truth, seed)
    for mine, theirs in zip(before, (features, mask, truth), strict=True):
        np.testing.assert_array_equal(mine, theirs)  # what is given stays as it is
    changed, real = augmented_clips[:2]
    assert changed.shape == features.shape and changed.dtype == np.float32
    assert real.shape == mask.shape and real.dtype == bool
    np.testing.assert_array_equal(real.any(1), mask.any(1))  # no clip is emptied or filled
    counts = real.sum(1)
    assert (counts <= mask.sum(1)).all()
    if name != "drop":
        np.testing.assert_array_equal(counts, mask.sum(1))
    np.testing.assert_array_equal(real, np.arange(mask.shape[1]) < counts[:, None])
    assert not changed[~real].any()
    assert (changed[real] > 0).all()  # nothing real comes from padding
    again = all_of_them(name, share, features, mask, truth, seed)
    for mine, theirs in zip(augmented_clips, again, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    if name != "mixup":
        clips = np.indices(mask.shape)[0] + 1
        np.testing.assert_array_equal(changed[..., 0][real], clips[real])  # no clip meets another
    else:
        np.testing.assert_allclose(augmented_clips[2].sum(1), 1, rtol=1e-6)


def test_dropped_frames_are_so_many_and_the_others_keep_their_order() -> None:
    features, mask, _ = batch(prefix(8, 5, 1, 0))
    changed, real = frame_drop(features, mask, np.random.default_rng(0), share=0.4)
    assert real.sum(1).tolist() == [5, 3, 1, 0]
    for row in range(2):
        steps = changed[row, : real[row].sum(), 1]
        assert (np.diff(steps) > 0).all()
    drawn = [frame_drop(features, mask, np.random.default_rng(n), share=0.4)[0] for n in range(40)]
    assert {int(one[0, 0, 1]) for one in drawn} >= {1, 2, 3}  # any frame can go
    np.testing.assert_array_equal(
        frame_drop(features, mask, np.random.default_rng(0), share=0.1)[0], features
    )  # a tenth of eight is none


def test_a_part_is_stretched_to_the_length_of_the_whole() -> None:
    features, mask, _ = batch(prefix(8, 8, 4))
    none, _ = jitter(features, mask, np.random.default_rng(0), share=0.0)
    np.testing.assert_array_equal(none, features)
    starts, lengths = set(), set()
    for seed in range(50):
        changed, real = jitter(features, mask, np.random.default_rng(seed), share=0.5)
        steps = changed[0, :, 1]
        assert real.sum(1).tolist() == [8, 8, 4]
        assert (np.diff(steps) >= 0).all() and (np.diff(steps) <= 1).all()  # contiguous, in order
        starts.add(int(steps[0]))
        lengths.add(int(steps[-1] - steps[0]) + 1)
        assert changed[2, :4, 1].max() <= 4
    assert min(starts) == 1 and max(starts) >= 4
    assert min(lengths) in (4, 5) and max(lengths) == 8


def test_reversed_clips_change_their_class_as_they_are_told_to() -> None:
    features, mask, _ = batch(prefix(4, 3, 8, 4, steps=8))
    truth = np.array([0, 1, 2, 1])
    rng = np.random.default_rng(0)
    changed, real, new = reverse(features, mask, truth, rng, probability=1.0, becomes=becomes)
    assert changed[0, :4, 1].tolist() == [4, 3, 2, 1]
    assert changed[1, :3, 1].tolist() == [3, 2, 1]
    np.testing.assert_array_equal(changed[2], features[2])  # of a class that is never reversed
    assert new.tolist() == [0, 2, 2, 2]
    np.testing.assert_array_equal(real, mask)
    turned = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        new = reverse(features, mask, truth, rng, probability=0.25, becomes=becomes)[2]
        turned += int((new[[1, 3]] == 2).sum())
    assert 60 < turned < 140


def test_clips_are_mixed_at_the_same_part_of_their_time() -> None:
    features, mask, _ = batch(prefix(8, 4, 0, steps=8))
    targets = np.eye(K, dtype=np.float32)
    for seed in range(20):
        changed, real, mixed = mixup(features, mask, targets, np.random.default_rng(seed), alpha=1)
        np.testing.assert_array_equal(real, mask)
        np.testing.assert_array_equal(mixed[2], targets[2])  # it is empty
        share = mixed[0, 0]
        if mixed[0, 1] > 0:  # with the clip of four steps, each of which is met twice
            wanted = share * np.arange(1, 9) + (1 - share) * np.repeat(np.arange(1, 5), 2)
            np.testing.assert_allclose(changed[0, :, 1], wanted, rtol=1e-5)
        else:
            np.testing.assert_allclose(changed[0], features[0], rtol=1e-6)
        if mixed[1, 0] > 0:
            mine = mixed[1, 1]
            wanted = mine * np.arange(1, 5) + (1 - mine) * np.array([2, 4, 6, 8])
            np.testing.assert_allclose(changed[1, :4, 1], wanted, rtol=1e-5)


def test_the_shares_are_drawn_from_beta() -> None:
    features, mask, _ = batch(prefix(*[4] * 400))
    targets = np.eye(400, dtype=np.float32)
    rng = np.random.default_rng(0)
    share = np.diag(mixup(features, mask, targets, rng, alpha=0.2)[2])
    assert share.mean() == pytest.approx(0.5, abs=0.06)
    assert ((share < 0.1) | (share > 0.9)).mean() > 0.6  # mostly nearly one clip or the other


def test_all_together_and_none() -> None:
    features, mask, truth = batch(prefix(8, 5, 0))
    everything = AugmentConfig(frame_drop=0.3, jitter=0.3, reverse=1.0, reverse_labels="all")
    same = np.arange(K)
    changed, real, new = augmented(
        features, mask, truth, np.random.default_rng(1), config=everything, becomes=same
    )
    assert real.sum(1).tolist() == [6, 4, 0]
    assert (np.diff(changed[0, :6, 1]) <= 0).all()
    np.testing.assert_array_equal(new, truth)
    nothing = augmented(
        features, mask, truth, np.random.default_rng(1), config=AugmentConfig(), becomes=same
    )
    assert nothing[0] is features and nothing[1] is mask


def test_which_classes_may_be_reversed() -> None:
    labels = ["left", "right", "still"]

    def found(labels_map: Any, head: str = "temporal") -> list[int]:
        config = AugmentConfig(reverse=0.5, reverse_labels=labels_map)
        return reversed_classes(config, head, labels).tolist()

    assert found("all") == [0, 1, 2]
    assert found({"left": "right", "right": "left"}) == [1, 0, NEVER]
    assert reversed_classes(AugmentConfig(), "mean", labels).tolist() == [NEVER] * 3
    with pytest.raises(ConfigError, match=r"label in .*='rigth' .* Did you mean 'right'\?"):
        found({"left": "rigth"})
    with pytest.raises(
        ConfigError,
        match=r"augment\.reverse=0\.5 would change nothing: the head 'mean' does not see the order "
        r"of the frames\. Leave it out, or take one of \['temporal', ",
    ):
        found("all", "mean")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"reverse": 0.5},
            r"augment=.*`augment.reverse` needs `augment.reverse_labels`: 'all'",
        ),
        (
            {"reverse_labels": "all"},
            r"`augment.reverse_labels` is used only with `augment.reverse` ",
        ),
        ({"frame_drop": 1}, r"augment\.frame_drop=1: .*less than 1"),
        ({"mixup": -1}, r"augment\.mixup=-1: .*greater than or equal to 0"),
        ({"mixupp": 1}, r"augment\.mixupp=1: Extra inputs"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig.checked(augment=values)


def two_ways(count: int, seed: int) -> Examples:
    """Classes that are one another backwards: a bump early, a bump late."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    features = rng.normal(0, 0.05, (count, 8, 4)).astype(np.float32)
    features[truth == 0, 1, 0] += 1
    features[truth == 1, 6, 0] += 1
    return Examples(features, np.ones((count, 8), bool), truth)


def test_a_class_that_was_never_seen_is_learned_from_the_other_one_backwards() -> None:
    data = two_ways(40, 0)
    early = data.at(np.flatnonzero(data.targets == 0))
    swap = {"reverse": 0.5, "reverse_labels": {"early": "late"}}
    config = TrainingConfig(
        epochs=30, optimizer="sgd", learning_rate=1.0, refit=False, augment=swap
    )
    fitted = fit_head("temporal", early, config, task=TASK)
    unseen = two_ways(20, 1)
    assert (fitted.probabilities(unseen).argmax(1) == unseen.targets).mean() > 0.9
    again = fit_head("temporal", early, config, task=TASK)
    np.testing.assert_array_equal(fitted.probabilities(unseen), again.probabilities(unseen))
    with pytest.raises(ConfigError, match="would change nothing"):
        fit_head("mean", early, config, task=TASK)
