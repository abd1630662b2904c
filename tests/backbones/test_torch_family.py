"""Encoders of transformers and timm, on tiny models; skipped without the extra `torch`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torch_models import (
    IMAGE_KINDS,
    IMAGE_SETTINGS,
    VIDEO_KINDS,
    WIDTHS,
    WINDOW,
    model,
    needs_torch,
    save,
)
from vidclass.backbones.hugging_face.family import ALIASES
from vidclass.backbones.registry import build_backbone, get_backbone
from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.errors import ConfigError, WeightsError
from vidclass.features.extractor import backbone_spec, feature_extractor
from vidclass.runtime.ir import PARITY_TOLERANCE
from vidclass.runtime.network_spec import probe_inputs

# Libraries of other people warn of what is theirs to change.
pytestmark = [needs_torch, pytest.mark.filterwarnings("ignore")]
RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (3, 32, 32, 3), np.uint8)
WINDOWS = RNG.integers(0, 256, (3, WINDOW, 32, 32, 3), np.uint8)
KINDS = IMAGE_KINDS + VIDEO_KINDS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    return {kind: save(kind, base / kind) for kind in KINDS}


def features(module: Any, frames: Any = FRAMES) -> Any:
    import torch

    with torch.no_grad():
        return module(torch.from_numpy(frames)).numpy()


def preprocessed(frames: Any = FRAMES) -> Any:
    """Return the frames after the model's preprocessing, computed independently of the library."""
    import torch

    mean, std = (np.array(IMAGE_SETTINGS[key]) for key in ("image_mean", "image_std"))
    normal = ((frames / 255 - mean) / std).astype("float32")
    return torch.from_numpy(np.moveaxis(normal, -1, -3).copy())


def expected(kind: str) -> Any:
    """Return the features that the model's own class computes."""
    import torch

    whole = model(kind)
    with torch.no_grad():
        if kind in VIDEO_KINDS:
            return expected_of_windows(kind, whole)
        if kind in ("clip", "siglip"):
            # Only the tower: get_image_features adds a projection.
            return whole.vision_model(pixel_values=preprocessed()).pooler_output.numpy()
        if kind == "vit_with_classes":
            return whole.vit(pixel_values=preprocessed()).last_hidden_state[:, 0].numpy()
        return whole(pixel_values=preprocessed()).pooler_output.flatten(1).numpy()


def expected_of_windows(kind: str, whole: Any) -> Any:
    images = preprocessed(WINDOWS)
    if kind == "videomae":
        return whole(pixel_values=images).last_hidden_state.numpy().mean(1)
    if kind == "videomae_classes":
        return whole.fc_norm(whole.videomae(pixel_values=images).last_hidden_state.mean(1)).numpy()
    if kind == "timesformer":
        return whole(pixel_values=images).last_hidden_state[:, 0].numpy()
    if kind == "vjepa2":
        return whole.get_vision_features(images).numpy().mean(1)
    return whole.pooler(whole.vjepa2.get_vision_features(images)).numpy()


def inputs_of(kind: str) -> tuple[Any, int]:
    """Return frames or windows of them, and the number of frames per feature vector."""
    return (WINDOWS, WINDOW) if kind in VIDEO_KINDS else (FRAMES, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_features_are_the_models_own(kind: str, folders: dict[str, Path]) -> None:
    frames, window = inputs_of(kind)
    actual = features(build_backbone(f"hf:{folders[kind]}", 32, "pretrained", window), frames)
    np.testing.assert_allclose(actual, expected(kind), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_openvino_gives_pytorchs_numbers_for_any_batch(kind: str, folders: dict[str, Path]) -> None:
    name = f"hf:{folders[kind]}"
    # Some video models take only one size.
    for weights, size in (("pretrained", 32), ("random", 32 if kind in VIDEO_KINDS else 48)):
        geometry = GeometryConfig(size=size)
        config = FeatureConfig(backbone=name, weights=weights, precision="f32", geometry=geometry)
        extractor, spec = feature_extractor(config), backbone_spec(config)
        opened, frames = extractor.open(), probe_inputs(spec)["frames"]
        files = extractor.ir()
        assert opened.route == "openvino"
        assert files is not None
        assert files.parity <= PARITY_TOLERANCE
        outputs = opened.network.run(frames=frames)
        assert outputs.shape == (3, extractor.width)
        np.testing.assert_allclose(opened.network.run(frames=frames[:1]), outputs[:1], atol=1e-5)


@pytest.mark.slow
def test_a_folder_states_its_facts(folders: dict[str, Path]) -> None:
    kinds = ("clip", "resnet", "vjepa2", "vjepa2_classes")
    backbones = {kind: get_backbone(f"hf:{folders[kind]}") for kind in kinds}
    assert {kind: (one.size, one.width, one.window) for kind, one in backbones.items()} == {
        "clip": (32, 16, 1),
        "resnet": (32, WIDTHS["resnet"], 1),
        "vjepa2": (32, 16, WINDOW),
        "vjepa2_classes": (32, 16, WINDOW),
    }
    encoder = model("vjepa2").encoder.parameters()
    assert backbones["vjepa2"].parameters == sum(weight.numel() for weight in encoder)
    towers = model("clip").vision_model.parameters()
    assert backbones["clip"].parameters == sum(weight.numel() for weight in towers)
    assert backbones["clip"].weights_state == "at hand"
    assert backbones["clip"].framework == "torch"


@pytest.mark.slow
def test_random_weights_are_the_same_each_time(folders: dict[str, Path]) -> None:
    name = f"hf:{folders['clip']}"
    first, second = (features(build_backbone(name, 32, "random")) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - features(build_backbone(name, 32, "pretrained"))).max() > 1e-3


@pytest.mark.slow
def test_weights_of_another_model_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    mixed = save("clip", tmp_path / "mixed")
    other = (folders["resnet"] / "model.safetensors").read_bytes()
    (mixed / "model.safetensors").write_bytes(other)
    with pytest.raises(WeightsError, match=r"does not hold weights of hf:.*: \d+ are missing or"):
        build_backbone(f"hf:{mixed}", 32, "pretrained")
    (mixed / "model.safetensors").write_bytes(other[:50])
    with pytest.raises(WeightsError, match=r"does not hold weights of hf:.*Safetensor"):
        build_backbone(f"hf:{mixed}", 32, "pretrained")


@pytest.mark.slow
def test_a_pretrained_model_needs_no_predictor_in_its_file(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = save("vjepa2", tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    encoder = {key: value for key, value in weights.items() if "predictor" not in key}
    save_file(encoder, folder / "model.safetensors", metadata={"format": "pt"})
    actual = features(build_backbone(f"hf:{folder}", 32, "pretrained", WINDOW), WINDOWS)
    np.testing.assert_allclose(actual, expected("vjepa2"), rtol=1e-4, atol=1e-5)
    assert len(encoder) < len(weights)


@pytest.mark.slow
def test_the_window_is_read_from_the_settings(folders: dict[str, Path], tmp_path: Path) -> None:
    name = f"hf:{folders['videomae']}"
    with pytest.raises(ConfigError, match=rf"window=8: hf:.* sees {WINDOW} frames at once"):
        build_backbone(name, 32, "random", 8)
    folder = save("videomae", tmp_path / "none")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"num_frames": "16"}))
    with pytest.raises(WeightsError, match=r"num_frames='16' in .* is not a number of frames"):
        get_backbone(f"hf:{folder}")


@pytest.mark.slow
def test_settings_of_no_image_model_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = save("vit_with_classes", tmp_path / "text")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 12}))
    with pytest.raises(WeightsError, match=r"cannot be built from .*config.json, or takes no im"):
        get_backbone(f"hf:{folder}")


@pytest.mark.slow
def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path) -> None:
    folder = save("vit_with_classes", tmp_path / "own")
    settings = {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(WeightsError, match=r"cannot be built from"):
        get_backbone(f"hf:{folder}")
    assert not (tmp_path / "ran").exists()


FACTS = """
from transformers import (
    CLIPVisionConfig, DINOv3ViTConfig, Dinov2Config, SiglipVisionConfig, VideoMAEConfig,
    VJEPA2Config,
)
configs = {
    "dinov2_small": Dinov2Config(
        hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14
    ),
    "dinov2_base": Dinov2Config(image_size=518, patch_size=14),
    "dinov3_small": DINOv3ViTConfig(num_register_tokens=4),
    "clip_vit_b32": CLIPVisionConfig(),
    "siglip_base": SiglipVisionConfig(),
    "videomae_base": VideoMAEConfig(architectures=["VideoMAEForVideoClassification"]),
    "vjepa2_large": VJEPA2Config(),
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ALIASES)
def test_aliases_state_what_such_models_have(name: str, tmp_path: Path) -> None:
    """Compare with models of the published sizes, stated independently of the table."""
    namespace: dict[str, Any] = {}
    exec(FACTS, namespace)
    namespace["configs"][name].save_pretrained(tmp_path)
    alias = ALIASES[name]
    settings = IMAGE_SETTINGS | {"crop_size": alias.size}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    backbone = get_backbone(f"hf:{tmp_path}")
    stated = (alias.size, alias.width, alias.parameters, alias.window)
    measured = (backbone.size, backbone.width, backbone.parameters, backbone.window)
    assert measured == stated


@pytest.fixture
def timm() -> Any:
    try:
        return import_module("timm")
    except (ImportError, RuntimeError) as error:  # a torchvision that is not this PyTorch's
        pytest.skip(f"timm cannot be imported: {error}")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet10t", "vit_tiny_patch16_224"])
def test_models_of_timm_are_read_from_their_folder(
    timm: Any, architecture: str, tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(2)
    whole = timm.create_model(architecture).eval()
    # Saved like the repositories of timm on the hub.
    timm.models.save_for_hf(whole, tmp_path, safe_serialization=True)
    settings = whole.pretrained_cfg
    size = settings["input_size"][1]
    backbone = get_backbone(f"timm:{tmp_path}")
    assert (backbone.size, backbone.licence) == (size, "apache-2.0")
    assert backbone.parameters < sum(weight.numel() for weight in whole.parameters())
    frames = RNG.integers(0, 256, (2, size, size, 3), np.uint8)
    mean, std = (np.array(settings[key]) for key in ("mean", "std"))
    images = torch.from_numpy(((frames / 255 - mean) / std).astype("float32").transpose(0, 3, 1, 2))
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features(images), pre_logits=True).numpy()
    actual = features(build_backbone(backbone.name, size, "pretrained"), frames)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
    for side in (size, 96):
        geometry = GeometryConfig(size=side)
        config = FeatureConfig(backbone=backbone.name, precision="f32", geometry=geometry)
        assert feature_extractor(config).open().route == "openvino"
