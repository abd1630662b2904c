"""Extractors open the network of their setting, and their fingerprint changes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.errors import ConfigError, RuntimeRouteError, WeightsError
from vidclass.features import extractor as extractor_module
from vidclass.features.extractor import backbone_spec, feature_extractor, open_backbone
from vidclass.runtime import hardware, keras_network
from vidclass.runtime.network_spec import probe_inputs

SMALL = FeatureConfig(
    backbone="MobileNetV3Small",
    weights="random",
    precision="f32",
    geometry=GeometryConfig(size=32),
)


def test_a_recipe_names_the_backbone_with_its_size_and_weights() -> None:
    spec = backbone_spec(SMALL)
    assert spec.arguments == {"name": "MobileNetV3Small", "size": 32, "weights": "random"}
    assert spec.frames
    assert spec.identity == get_backbone("MobileNetV3Small").weights_id("random")


def test_an_extractor_opens_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor_module, "open_backbone", lambda config, int8: ("opened", config))
    extractor = feature_extractor(SMALL)
    assert (extractor.config, extractor.width) == (SMALL, 576)
    assert extractor.fingerprint == feature_extractor(SMALL).fingerprint
    assert extractor.open() == ("opened", SMALL)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "MobileNetV2"},
        {"weights": "pretrained"},
        {"precision": "bf16"},
        {"geometry": GeometryConfig(size=33)},
        {"geometry": GeometryConfig(size=32, crop="whole")},
        {"sampling": SamplingConfig(frames=19)},
        {"sampling": SamplingConfig(policy="first")},
        {"sampling": SamplingConfig(policy="stride", stride_s=0.3)},
    ],
)
def test_an_extractors_fingerprint_changes_with_every_setting(change: dict[str, Any]) -> None:
    other = SMALL.model_copy(update=change)
    assert feature_extractor(other).fingerprint != feature_extractor(SMALL).fingerprint


def test_an_extractors_fingerprint_changes_with_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    before = feature_extractor(SMALL).fingerprint
    monkeypatch.setattr(extractor_module, "FEATURE_FORMAT", -1)
    assert feature_extractor(SMALL).fingerprint != before


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"backbone='lite0' is not one of"):
        feature_extractor(FeatureConfig(backbone="lite0"))


def test_a_missing_weights_file_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"weights='mine.h5' of efficientnet_lite0 is neither"):
        feature_extractor(FeatureConfig(weights="mine.h5"))


def refuse(error: Exception) -> Callable[[object], None]:
    def ensure_ir(_: object) -> None:
        raise error

    return ensure_ir


def test_a_refused_network_runs_in_keras_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        extractor_module, "ensure_ir", refuse(RuntimeRouteError("it differs by 0.3"))
    )
    monkeypatch.setattr(keras_network, "KerasNetwork", lambda *given: given)
    opened = open_backbone(SMALL)
    assert opened.route == "keras"
    assert opened.note == "MobileNetV3Small runs in Keras, several times slower: it differs by 0.3"
    assert opened.network == (backbone_spec(SMALL), "f32")
    assert feature_extractor(SMALL).ir() is None


def test_missing_weights_do_not_lead_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor_module, "ensure_ir", refuse(WeightsError("not here")))
    with pytest.raises(WeightsError, match="not here"):
        open_backbone(SMALL)


def test_a_gpu_is_used_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (extractor_module, hardware):
        monkeypatch.setattr(module, "has_gpu", lambda: True)
    monkeypatch.setattr(keras_network, "KerasNetwork", lambda *given: given)
    extractor = feature_extractor(SMALL.model_copy(update={"precision": "auto"}))
    assert extractor.config.precision == "bf16"
    opened = extractor.open()
    assert (opened.route, opened.network) == ("gpu", (backbone_spec(SMALL), "bf16"))


def test_auto_is_the_precision_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = SMALL.model_copy(update={"precision": "auto"})
    extractors = {}
    for has, resolved in ((True, "bf16"), (False, "f32")):
        monkeypatch.setattr(hardware, "has_bf16", lambda has=has: has)
        extractors[resolved] = feature_extractor(auto)
        assert extractors[resolved].config.precision == resolved
        named = feature_extractor(SMALL.model_copy(update={"precision": resolved}))
        assert named.fingerprint == extractors[resolved].fingerprint
    assert extractors["f32"].fingerprint != extractors["bf16"].fingerprint


@pytest.mark.slow
def test_emulated_bfloat16_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor_module, "has_bf16", lambda: False)
    opened = open_backbone(SMALL.model_copy(update={"precision": "bf16"}))
    assert opened.route == "openvino"
    assert opened.note.startswith("this processor has no bfloat16: it is emulated")


def test_int8_needs_clips() -> None:
    with pytest.raises(ConfigError, match=r"precision='int8' is calibrated on clips, and none are"):
        feature_extractor(SMALL.model_copy(update={"precision": "int8"}))


@pytest.mark.slow
def test_the_default_backbone_runs_through_openvino() -> None:
    opened = open_backbone(FeatureConfig(precision="f32"))
    assert (opened.route, opened.note) == ("openvino", "")
    outputs = opened.network.run(**probe_inputs(backbone_spec(FeatureConfig())))
    assert outputs.shape == (3, 1280)
    assert np.isfinite(outputs).all()
