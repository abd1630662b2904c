"""The network that a setting asks for, and the key of what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.errors import ConfigError, RuntimeRouteError, WeightsError
from vidclass.features import networks
from vidclass.features.networks import backbone_recipe, feature_maker, open_backbone
from vidclass.runtime import ir, keras_route
from vidclass.runtime.recipe import probe_inputs

SMALL = FeatureConfig(
    backbone="MobileNetV3Small", weights="random", geometry=GeometryConfig(size=32)
)


def test_a_recipe_names_the_backbone_with_its_size_and_weights() -> None:
    recipe = backbone_recipe(SMALL)
    assert recipe.arguments == {"name": "MobileNetV3Small", "size": 32, "weights": "random"}
    assert recipe.frames
    assert recipe.identity == get_backbone("MobileNetV3Small").weights_id("random")


def test_a_maker_opens_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "open_backbone", lambda config: ("opened", config))
    maker = feature_maker(SMALL)
    assert (maker.config, maker.width) == (SMALL, 576)
    assert maker.fingerprint == feature_maker(SMALL).fingerprint
    assert maker.open() == ("opened", SMALL)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "MobileNetV2"},
        {"weights": "imagenet"},
        {"geometry": GeometryConfig(size=33)},
        {"geometry": GeometryConfig(size=32, crop="whole")},
        {"sampling": SamplingConfig(frames=19)},
        {"sampling": SamplingConfig(policy="head")},
        {"sampling": SamplingConfig(policy="stride", stride_s=0.3)},
    ],
)
def test_a_makers_fingerprint_changes_with_every_setting(change: dict[str, Any]) -> None:
    other = SMALL.model_copy(update=change)
    assert feature_maker(other).fingerprint != feature_maker(SMALL).fingerprint


def test_a_makers_fingerprint_changes_with_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    before = feature_maker(SMALL).fingerprint
    monkeypatch.setattr(networks, "FEATURE_FORMAT", -1)
    assert feature_maker(SMALL).fingerprint != before


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"backbone='lite0' is not one of"):
        feature_maker(FeatureConfig(backbone="lite0"))


def test_a_missing_weights_file_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"weights='mine.h5' of efficientnet_lite0 is neither"):
        feature_maker(FeatureConfig(weights="mine.h5"))


def test_a_refused_network_runs_in_keras_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeRouteError("it differs from Keras by 0.3")

    monkeypatch.setattr(ir, "ensure_ir", refuse)
    monkeypatch.setattr(keras_route, "KerasNetwork", lambda recipe: recipe)
    opened = open_backbone(SMALL)
    assert (opened.route, opened.reason) == ("keras", "it differs from Keras by 0.3")
    assert opened.network == backbone_recipe(SMALL)


def test_missing_weights_do_not_lead_to_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise WeightsError("not here")

    monkeypatch.setattr(ir, "ensure_ir", refuse)
    with pytest.raises(WeightsError, match="not here"):
        open_backbone(SMALL)


@pytest.mark.slow
def test_the_default_backbone_runs_through_openvino() -> None:
    opened = open_backbone(FeatureConfig())
    assert (opened.route, opened.reason) == ("openvino", "")
    outputs = opened.network.run(**probe_inputs(backbone_recipe(FeatureConfig())))
    assert outputs.shape == (3, 1280)
    assert np.isfinite(outputs).all()
