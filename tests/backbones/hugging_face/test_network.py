"""Preprocessing of the models of transformers, as their files state it; needs no library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vidclass.backbones.hub_files import files_id
from vidclass.backbones.hugging_face.network import ImageInput, config_side, read_input
from vidclass.errors import WeightsError

SETTINGS = {"crop_size": 32, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.3, 0.2]}
CHANNELS = {"image_mean": [0.5] * 3, "image_std": [0.2] * 3}


@pytest.mark.parametrize(
    ("settings", "size", "scale"),
    [
        ({"size": 224, "crop_size": 200}, 200, 1 / 255),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, 224, None),
        ({"size": {"height": 384, "width": 384}}, 384, None),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": False}, 256, None),
        ({"size": [96, 96], "rescale_factor": 0.5}, 96, 0.5),
        ({"size": 64, "do_rescale": False}, 64, 1.0),
        ({}, 48, None),
    ],
)
def test_preprocessing_is_the_models_own(
    settings: dict[str, Any], size: int, scale: float | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"image_size": 48}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CHANNELS | settings))
    expected = ImageInput(size, [0.5] * 3, [0.2] * 3, 1 / 255 if scale is None else scale)
    assert read_input(tmp_path, "hf:x") == expected


@pytest.mark.parametrize(
    ("file", "nested"),
    [
        ("video_preprocessor_config.json", False),
        ("processor_config.json", "image_processor"),
        ("processor_config.json", "video_processor"),
    ],
)
def test_preprocessing_is_read_from_several_files(
    file: str, nested: str | bool, tmp_path: Path
) -> None:
    settings = {nested: SETTINGS, "tokenizer": {"size": 7}} if nested else SETTINGS
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / file).write_text(json.dumps(settings))
    assert read_input(tmp_path, "hf:x").size == 32
    first = files_id(str(tmp_path), tmp_path, weights=False)
    (tmp_path / file).write_text(json.dumps(settings | {"more": 1}))
    assert files_id(str(tmp_path), tmp_path, weights=False) != first


def test_images_may_need_no_normalisation(tmp_path: Path) -> None:
    settings = {"size": 32, "do_normalize": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    assert read_input(tmp_path, "hf:x") == ImageInput(32, [0.0] * 3, [1.0] * 3, 1 / 255)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": {"height": 32, "width": 64}}, r"states the size of square images: size=.*64"),
        ({"size": 32, "image_std": [1, 2]}, r"image_std=\[1, 2\] in .* is not three numbers"),
        ({"size": 32, "image_mean": [1, 2, True]}, r"image_mean=.* is not three numbers"),
    ],
)
def test_unusable_preprocessing_is_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(CHANNELS | settings))
    with pytest.raises(WeightsError, match=message):
        read_input(tmp_path, "hf:x")


def test_a_vision_tower_has_its_config_side() -> None:
    assert config_side({"image_size": 32}) == 32
    assert config_side({"vision_config": {"image_size": 48}, "image_size": 32}) == 48
    assert config_side({}) is None
