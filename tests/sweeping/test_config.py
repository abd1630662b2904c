from __future__ import annotations

from typing import Any

import pytest

from made_rows import point
from vidclass.backbones import Backbone, get_backbone
from vidclass.errors import ConfigError
from vidclass.sweeping.config import OWN, SweepConfig, SweepSpace, available_backbones, untried


def test_default_backbones_are_those_with_weights_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in SweepSpace().backbone:
        assert get_backbone(name).weights_state == "at hand"
    monkeypatch.setattr(Backbone, "weights_state", property(lambda _: "to be fetched"))
    assert available_backbones() == ("efficientnet_lite0",)
    monkeypatch.setattr(
        Backbone, "weights_state", property(lambda b: "at hand" if b.size > 230 else "")
    )
    assert available_backbones() == ("efficientnet_lite1", "efficientnet_lite2")


def test_points_are_every_combination_with_heads_varying_fastest() -> None:
    space = SweepSpace(backbone=("efficientnet_lite0",), frames=(4, 8), head=("mean", "gru"))
    assert [(p.frames, p.head) for p in space.points()] == [
        (4, "mean"),
        (4, "gru"),
        (8, "mean"),
        (8, "gru"),
    ]
    assert str(space.points()[0]) == (
        "efficientnet_lite0 at 224 pixels, 4 frames, uniform, centre, auto, mean"
    )


def test_equal_combinations_are_one_point() -> None:
    space = SweepSpace(
        backbone=("efficientnet_lite0", "efficientnet_lite1"),
        frames=(8, 8),
        head=("mean",),
        size=("own", 224),
    )
    assert space.frames == (8,)
    assert [(p.backbone, p.side) for p in space.points()] == [
        ("efficientnet_lite0", 224),
        ("efficientnet_lite1", 240),
        ("efficientnet_lite1", 224),
    ]
    assert untried(space.points(), [point(size=224)]) == space.points()[1:]
    assert untried(space.points(), space.points()) == []


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"frames": ["8", "x"]}, r"frames\.1='x': .*integer"),
        ({"frames": [0]}, r"frames\.0=0: .*greater than or equal to 1"),
        ({"head": []}, r"head=\[\]: .*at least 1 item"),
        ({"size": ["4"]}, r"size.0.*='4'.*greater than or equal to 8"),
        ({"sampling": ["middle"]}, r"sampling\.0='middle': .*'uniform'"),
        ({"heads": ["mean"]}, r"heads=\['mean'\]: Extra inputs"),
    ],
)
def test_a_wrong_value_is_refused_by_name(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SweepSpace.checked(**axes)


def test_text_from_a_command_line_becomes_numbers() -> None:
    space = SweepSpace.checked(frames=["4", "8"], size=["own", "160"])
    assert (space.frames, space.size) == ((4, 8), ("own", 160))


def test_a_point_gives_a_complete_run_configuration() -> None:
    config = SweepConfig(weights="random", epochs=3, seed=5, group_pattern="(p)", groups="parent")
    run = config.run_config(
        point(size=160, head="gru", frames=6, sampling="first", crop="whole", precision="f32")
    )
    assert (run.features.geometry.size, run.features.geometry.crop) == (160, "whole")
    assert (run.features.sampling.policy, run.features.sampling.frames) == ("first", 6)
    assert (run.features.precision, run.features.weights, run.head) == ("f32", "random", "gru")
    assert (run.training.epochs, run.training.seed) == (3, 5)
    assert (run.split.groups, run.split.group_pattern) == ("parent", "(p)")
    assert config.run_config(point(backbone="efficientnet_lite1")).features.geometry.size == 240
    own_epochs = SweepConfig().run_config(point(head="gru")).training
    assert (own_epochs.epochs, own_epochs.refit) == (10, False)  # the head's own preset


@pytest.mark.parametrize(
    ("sampler", "points", "expected"),
    [("auto", 30, "grid"), ("auto", 31, "tpe"), ("random", 3, "random"), ("grid", 99, "grid")],
)
def test_the_sampler_depends_on_the_size_of_the_space(
    sampler: Any, points: int, expected: str
) -> None:
    assert SweepConfig(trials=30, sampler=sampler).sampler_for(points) == expected


def test_the_identity_holds_what_makes_rows_comparable() -> None:
    space = SweepSpace(head=("mean",))
    first = SweepConfig(trials=3).identity(space, "clips")
    assert first == SweepConfig(trials=9, timeout_s=1, sampler="tpe").identity(space, "clips")
    for other in (
        SweepConfig(seed=1).identity(space, "clips"),
        SweepConfig(folds=3).identity(space, "clips"),
        SweepConfig().identity(space, "others"),
        SweepConfig().identity(SweepSpace(head=("gru",)), "clips"),
    ):
        assert other != first
    assert OWN in first["size"]
