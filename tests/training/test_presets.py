from __future__ import annotations

from typing import Any

import pytest

from vidclass.backbones import get_backbone
from vidclass.config import GeometryConfig, RunConfig, SamplingConfig, TrainingConfig
from vidclass.errors import ConfigError
from vidclass.heads import heads
from vidclass.training.presets import (
    CANDIDATES,
    DEFAULT_BACKBONE,
    PRESETS,
    candidates,
    keras_example,
    run_config,
    training_of,
)


def test_the_keras_example_is_what_the_example_does() -> None:
    config = run_config("keras-example")
    assert config == keras_example()
    sampling, geometry = config.features.sampling, config.features.geometry
    assert (sampling.policy, sampling.frames) == ("first", 20)
    assert (geometry.crop, geometry.size) == ("centre", 224)
    assert (config.features.backbone, config.features.weights) == ("InceptionV3", "pretrained")
    assert config.head == "gru"
    training = config.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (10, 32, 1e-3)
    assert not (training.cosine or training.refit or training.balance_classes)
    assert (training.weight_decay, training.label_smoothing, training.patience) == (0, 0, None)


def test_the_default_is_lite0_and_the_head_that_suits_the_clips() -> None:
    config = run_config()
    assert config == PRESETS["default"]()
    assert (config.features.backbone, config.head) == (DEFAULT_BACKBONE, "auto")
    assert config.features.geometry.size == get_backbone(DEFAULT_BACKBONE).size
    assert (config.more, config.flip, config.given) == ((), False, ())


def test_with_auto_each_head_has_its_own_training_and_what_was_given() -> None:
    config = run_config(training={"seed": 4, "epochs": 3})
    assert config.given == ("epochs", "seed")
    for head in CANDIDATES:
        changes = {"seed": 4, "epochs": 3}
        assert training_of(config, head) == heads()[head].training.model_copy(update=changes)
    fixed = run_config(head="bigru", training={"epochs": 3})
    assert training_of(fixed, "bigru") == fixed.training


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("auto", CANDIDATES),
        ("auto(mean, gru(units=32), mean)", ("mean", "gru(units=32)")),
        ("temporal", None),
        ("gru(units=32)", None),
    ],
)
def test_what_auto_compares(head: str, names: tuple[str, ...] | None) -> None:
    assert candidates(head) == names


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("auto()", r"head='auto\(\)' cannot be read: write auto, or auto\(mean"),
        ("auto(mean", "cannot be read"),
        ("auto(head=mean)", "cannot be read"),
        ("auto(meen)", "head='meen' is not one of .* Did you mean 'mean'"),
        ("auto(gru(unit=3))", "setting of the head 'gru'='unit'.*Did you mean 'units'"),
    ],
)
def test_what_auto_cannot_compare_is_named(head: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_config(head=head)


def test_the_accurate_preset_averages_two_networks() -> None:
    config = run_config("accurate", features={"precision": "f32"})
    assert [view.backbone for view in config.views] == ["efficientnet_lite2", "efficientnet_lite1"]
    assert {view.precision for view in config.views} == {"f32"}
    with pytest.raises(
        ConfigError, match="backbone='Xception' cannot be chosen: preset 'accurate'"
    ):
        run_config("accurate", features={"backbone": "Xception"})


def test_labels_swap_only_with_flips() -> None:
    assert run_config(flip=True, swap_labels={"left": "right"}).swap_labels == {"left": "right"}
    with pytest.raises(ConfigError, match="is used only with flip=True"):
        run_config(swap_labels={"left": "right"})


def test_a_preset_survives_its_json() -> None:
    config = run_config("keras-example", features={"weights": "random"})
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_another_backbone_brings_its_size_unless_one_is_given() -> None:
    assert run_config(features={"backbone": "Xception"}).features.geometry.size == 299
    chosen = run_config(features={"backbone": "Xception", "size": 96}).features
    assert (chosen.backbone, chosen.geometry.size) == ("Xception", 96)


def test_another_head_brings_its_training_and_options_go_on_top() -> None:
    assert run_config(head="gru_attention").training == heads()["gru_attention"].training
    config = run_config("keras-example", head="mean", training={"epochs": 3, "seed": 4})
    assert config.training == TrainingConfig(
        **heads()["mean"].training.model_dump() | {"epochs": 3, "seed": 4}
    )
    assert run_config("keras-example", head="gru").training == keras_example().training


def test_every_feature_and_split_option_arrives() -> None:
    config = run_config(
        features={"policy": "stride", "stride_s": 0.5, "frames": 7, "crop": "whole", "size": 64},
        split={"validation_tail": 0.3, "allow_leak": True},
    )
    sampling = SamplingConfig(policy="stride", stride_s=0.5, frames=7)
    assert config.features.sampling == sampling
    assert config.features.geometry == GeometryConfig(crop="whole", size=64)
    assert (config.split.validation_tail, config.split.allow_leak) == (0.3, True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"preset": "keras_example"}, "preset='keras_example'.* Did you mean 'keras-example'"),
        ({"head": "tempral"}, "head='tempral' is not one of .* Did you mean 'temporal'"),
        ({"features": {"backbone": "InceptionV4"}}, "backbone='InceptionV4'.*'InceptionV3'"),
        ({"features": {"frames": 0}}, "frames=0: .*greater than or equal to 1"),
        (
            {"features": {"policy": "last"}},
            "policy='last': .*'uniform', 'first', 'stride' or 'random'",
        ),
        ({"features": {"stride_s": 0.5}}, "`stride_s` is used only by policy='stride'"),
        ({"features": {"crop": "center"}}, "crop='center': .*'centre' or 'whole'"),
        ({"training": {"epochs": 0}}, "epochs=0"),
        ({"training": {"epoch": 3}}, "epoch=3: Extra inputs are not permitted"),
        ({"split": {"validation_tail": 1.5}}, r"validation_tail=1\.5: .*less than 1"),
    ],
)
def test_what_is_not_allowed_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_config(**wrong)
