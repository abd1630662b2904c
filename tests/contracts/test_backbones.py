"""The contract of every backbone: its facts, and Keras's numbers through OpenVINO."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidclass.backbones import backbone_names, get_backbone
from vidclass.backbones.family import load_family
from vidclass.backbones.hugging_face.family import ALIASES, HuggingFace
from vidclass.backbones.i3d.family import I3D
from vidclass.backbones.keras_applications import APPLICATIONS
from vidclass.testing import check_backbone

# Families with tests of their own: their networks are large, or need an extra.
UNTRIED = {I3D, HuggingFace}
# One of each kind of network, at a size that it can just take: benchmarks/backbones.py tries all at
# their own size, which takes an hour.
TRIED = {
    "efficientnet_lite2": 64,
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "InceptionV3": 80,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "NASNetMobile": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "Xception": 80,
}


@pytest.mark.parametrize("name", backbone_names())
def test_an_entry_states_its_facts(name: str) -> None:
    backbone = get_backbone(name)
    assert backbone.name in backbone.family.names
    assert 32 <= backbone.size <= 1024
    assert 256 <= backbone.width <= 8192
    assert backbone.parameters > backbone.width
    assert type(load_family(backbone.family.import_path())) is type(backbone.family)
    assert backbone.weights_state in ("at hand", "to be installed", "to be fetched")
    assert backbone.weights_source.startswith("by ")
    assert backbone.licence
    assert backbone.window >= 1


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every alias into huggingface_hub's cache, as empty files."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for alias in ALIASES.values():
        home = tmp_path / f"models--{alias.repository.replace('/', '--')}"
        files = home / "snapshots" / "c0ffee"
        files.mkdir(parents=True)
        for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
            (files / name).touch()
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text("c0ffee")


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize("name", backbone_names())
def test_weights_are_identified_the_same_each_time(name: str) -> None:
    backbone = get_backbone(name)
    for weights in ("pretrained", "random"):
        assert backbone.weights_id(weights) == backbone.weights_id(weights)
    assert backbone.weights_id("random") != backbone.weights_id("pretrained")


def test_every_family_is_tried() -> None:
    tried = {type(get_backbone(name).family) for name in TRIED}
    assert {type(get_backbone(name).family) for name in backbone_names()} - tried == UNTRIED


def test_every_kind_of_network_of_keras_applications_is_tried() -> None:
    modules = {APPLICATIONS[name].module for name in TRIED if name in APPLICATIONS}
    # Plainer or larger forms of others in the list: the time of the tests is short.
    untried = {"inception_resnet_v2", "mobilenet", "vgg16", "vgg19"}
    assert modules == {facts.module for facts in APPLICATIONS.values()} - untried


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIED)
def test_openvino_gives_keras_numbers_for_any_batch(name: str) -> None:
    check_backbone(name, size=TRIED[name])
