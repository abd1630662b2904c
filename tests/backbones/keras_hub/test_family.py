"""Backbones of KerasHub, on tiny presets with random weights."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hub_presets import (
    OFFSET,
    SCALE,
    SIZE,
    TRANSFORMERS,
    WIDTHS,
    needs_keras_hub,
    network,
    save,
)
from vidclass.backbones.keras_weights import weights_owner
from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig
from vidclass.errors import ConfigError, WeightsError
from vidclass.features.extractor import backbone_spec, open_backbone
from vidclass.runtime.ir import PARITY_TOLERANCE
from vidclass.runtime.network_spec import probe_inputs

pytestmark = [
    needs_keras_hub,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # KerasHub's own
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that saves a preset of a kind once and returns its name."""

    @cache
    def saved_name(kind: str) -> str:
        return f"hub:{save(kind, tmp_path_factory.mktemp(kind))}"

    return saved_name


def frames(count: int = 3, size: int = SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def features(name: str, weights: str, size: int = SIZE) -> NDArray[np.float32]:
    model = get_backbone(name).build(size=size, weights=weights)
    return np.asarray(model(frames(size=size).astype("float32")))


def expected_features(kind: str) -> NDArray[np.float32]:
    """Return the pooled outputs of the network itself for images scaled by hand."""
    model = network(kind)
    images = frames() * np.array(SCALE, "float32") + np.array(OFFSET, "float32")
    by_name = isinstance(model.input, dict)
    outputs = np.asarray(model(dict.fromkeys(model.input, images) if by_name else images))
    if kind in TRANSFORMERS:
        return outputs[:, 0]
    return outputs.mean(tuple(range(1, outputs.ndim - 1)))


@pytest.mark.parametrize("kind", WIDTHS)
def test_features_are_the_networks_own(kind: str, saved: Any) -> None:
    backbone = get_backbone(saved(kind))
    assert (backbone.size, backbone.width) == (SIZE, WIDTHS[kind])
    assert backbone.parameters == network(kind).count_params()
    assert (backbone.weights_state, backbone.licence) == ("at hand", "see its folder")
    np.testing.assert_allclose(
        features(backbone.name, "pretrained"), expected_features(kind), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", WIDTHS)
def test_all_run_through_openvino(kind: str, saved: Any) -> None:
    """Compare images one by one, and several at a time."""
    config = FeatureConfig(backbone=saved(kind), geometry={"size": SIZE}, precision="f32")
    opened = open_backbone(config)
    assert (opened.route, opened.note) == ("openvino", "")
    images = probe_inputs(backbone_spec(config))["frames"]
    outputs = opened.network.run(frames=images)
    expected = np.asarray(
        get_backbone(saved(kind)).build(size=SIZE, weights="pretrained")(images.astype("float32"))
    )
    assert np.abs(outputs - expected).max() <= PARITY_TOLERANCE * np.abs(expected).max()
    single = np.concatenate([opened.network.run(frames=image[None]) for image in images])
    np.testing.assert_allclose(single, outputs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["DINOV3Backbone", "ResNetBackbone", "SwinTransformerBackbone"])
def test_random_weights_are_reproducible_and_tell_images_apart(kind: str, saved: Any) -> None:
    first = features(saved(kind), "random")
    np.testing.assert_array_equal(features(saved(kind), "random"), first)
    assert np.ptp(first, axis=0).max() > 1e-3
    assert np.abs(first - features(saved(kind), "pretrained")).max() > 1e-3


def test_other_sizes_are_taken_where_the_weights_allow_it(saved: Any) -> None:
    assert features(saved("DINOV2Backbone"), "pretrained", 64).shape == (3, 8)
    assert features(saved("ResNetBackbone"), "pretrained", 48).shape == (3, 64)
    with pytest.raises(ConfigError, match=r"size=64: hub:.* images of 32x32 alone: give size="):
        features(saved("ViTBackbone"), "pretrained", 64)


def test_a_weights_file_of_the_network_is_read(saved: Any, tmp_path: Path) -> None:
    name = saved("ResNetBackbone")
    model = get_backbone(name).build(size=SIZE, weights="random")
    file = tmp_path / "mine.weights.h5"
    weights_owner(model).save_weights(file)
    np.testing.assert_array_equal(features(name, str(file)), features(name, "random"))
    message = r"mine.weights.h5 does not hold weights of hub:"
    with pytest.raises(WeightsError, match=message) as caught:
        features(saved("DenseNetBackbone"), str(file))
    assert len(str(caught.value)) < 1000


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = save("VGGBackbone", tmp_path)
    (folder / "model.weights.h5").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"model.weights.h5 does not hold weights of hub:"):
        features(f"hub:{folder}", "pretrained")


def test_sharded_weights_are_read(saved: Any, tmp_path: Path) -> None:
    sharded = save("DenseNetBackbone", tmp_path, max_shard_size=5e-5)
    assert len(list(sharded.glob("model_*.weights.h5"))) > 1
    np.testing.assert_array_equal(
        features(f"hub:{sharded}", "pretrained"), features(saved("DenseNetBackbone"), "pretrained")
    )


def test_settings_that_the_library_refuses_are_named(saved: Any, tmp_path: Path) -> None:
    folder = save("VGGBackbone", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["config"]["stackwise_num_repeats"] = "many"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"cannot be built for images of 32x32 from .*Error: "):
        get_backbone(f"hub:{folder}")


def test_no_tensorflow_is_needed(saved: Any) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['tensorflow_text'] = None\n"
        "from vidclass.backbones.registry import build_backbone\n"
        f"print(build_backbone({saved('ViTBackbone')!r}, {SIZE}, 'pretrained').output_shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(None, 8)"
