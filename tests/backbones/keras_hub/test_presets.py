"""Files and settings of KerasHub presets, valid and refused; needs no KerasHub."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vidclass.backbones import Backbone, get_backbone
from vidclass.backbones.keras_hub.family import KerasHub
from vidclass.backbones.keras_hub.network import bicubic_weights, converter_side, scaling
from vidclass.backbones.keras_hub.presets import (
    ARCHITECTURES,
    WEIGHTS,
    preset_id,
    read_settings,
    weight_files,
)
from vidclass.errors import ConfigError, WeightsError

PARTS = ("models.Backbone", "layers.ImageConverter")
KAGGLE = "keras/resnet/keras/resnet_18/2"
CONFIG = {
    "module": "keras_hub.src.models.vgg.vgg_backbone",
    "class_name": "VGGBackbone",
    "config": {"stackwise_num_repeats": [1], "image_shape": [None, None, 3]},
}
CONVERTER = {"class_name": "VGGImageConverter", "config": {"image_size": [32, 32], "scale": 0.5}}


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of kagglehub, empty; that of huggingface_hub is empty too."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "kaggle"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a fake KerasHub with two presets and no networks."""
    empty = dict.fromkeys(ARCHITECTURES, SimpleNamespace(presets={}))
    presets = {name: {"kaggle_handle": f"kaggle://{KAGGLE}"} for name in ("resnet_18", "resnet_50")}
    models = SimpleNamespace(**empty | {"ResNetBackbone": SimpleNamespace(presets=presets)})
    fake = SimpleNamespace(models=models, __version__="9")
    monkeypatch.setitem(sys.modules, "keras_hub", fake)


def write(folder: Path, **files: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, value in {"config": CONFIG, "image_converter": CONVERTER, **files}.items():
        (folder / f"{stem}.json").write_text(json.dumps(value))
    return folder


def undescribed(name: str) -> Backbone:
    return Backbone(name, KerasHub(), 32, 8, 9)


def changed(**config: Any) -> dict[str, Any]:
    return {**CONFIG, "config": {**CONFIG["config"], **config}}


def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    message = r"needs keras_hub, which is not installed: pip install 'vidclass\[hub\]'"
    for name in ("hub:resnet_18", f"hub:{write(tmp_path / 'preset')}"):
        with pytest.raises(ConfigError, match=message):
            get_backbone(name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"hub:hf://org/tiny needs huggingface_hub, .*\[hub\]"):
        get_backbone("hub:hf://org/tiny")


def test_a_library_that_cannot_be_imported_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keras_hub.py").write_text("import a_library_that_it_needs")
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    message = r"needs keras_hub, which is installed but cannot be imported: .*a_library_that_it"
    with pytest.raises(ConfigError, match=message):
        get_backbone("hub:resnet_18")


@pytest.mark.parametrize(
    "location", ["resnet_81", "hf://tiny", "kaggle://keras/resnet", "gs://a/b"]
)
def test_unknown_presets_are_refused(location: str, library: None) -> None:
    hint = r" Did you mean hub:resnet_18\?" if location == "resnet_81" else ""
    message = rf"backbone='hub:{location}': '{location}' is neither .* KerasHub 9's .*{hint}"
    with pytest.raises(ConfigError, match=message):
        get_backbone(f"hub:{location}")


@pytest.mark.parametrize(
    ("location", "client", "call"),
    [
        ("resnet_18", "kagglehub", "model_download"),
        (f"kaggle://{KAGGLE}", "kagglehub", "model_download"),
        ("hf://org/tiny", "huggingface_hub", "hf_hub_download"),
    ],
)
def test_without_a_network_the_error_says_what_to_save(
    location: str, client: str, call: str, library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: Any, **__: Any) -> str:
        raise ConnectionError("the name is not known\nand more")

    monkeypatch.setitem(sys.modules, client, SimpleNamespace(**{call: download}))
    with pytest.raises(WeightsError) as caught:
        get_backbone(f"hub:{location}")
    models, layers = (f"keras_hub.{part}.from_preset({location!r})" for part in PARTS)
    assert str(caught.value) == (
        f"config.json of hub:{location} is not on this machine and cannot be fetched: "
        "ConnectionError: the name is not known. Where there is a network, save the preset to a "
        f"folder with {models}.save_to_preset(FOLDER) and {layers}.save_to_preset(FOLDER), and "
        "give backbone='hub:FOLDER'"
    )


def test_files_of_kaggle_are_fetched_once(
    caches: Path, library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(handle: str, file: str) -> str:
        asked.append(f"{handle} {file}")
        folder = caches / "models" / handle
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
        done = folder.parent / ".complete" / folder.name / f"{file}.complete"
        done.parent.mkdir(parents=True, exist_ok=True)
        done.touch()
        return str(folder / file)

    model = undescribed("hub:resnet_18")
    assert model.weights_state == "to be fetched"
    assert model.weights_source.startswith("by kagglehub (pip install 'vidclass[hub]')")
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(model_download=download))
    first = model.weights_id("pretrained")
    assert model.weights_id("pretrained") == first
    files = ["config.json", "image_converter.json", "model.weights.h5"]
    assert asked == [f"{KAGGLE} {file}" for file in files]
    assert model.weights_state == "at hand"
    assert undescribed(f"hub:kaggle://{KAGGLE}").weights_state == "at hand"


def test_files_of_hugging_face_are_of_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "hf" / "hub" / "models--org--tiny"
    folder = write(home / "snapshots" / "c0ffee")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c0ffee")

    def download(repository: str, file: str, **options: Any) -> str:
        assert (repository, file, options) == (
            "org/tiny",
            "model.weights.h5",
            {"revision": "c0ffee"},
        )
        (folder / file).touch()
        return str(folder / file)

    fake = SimpleNamespace(hf_hub_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    model = undescribed("hub:hf://org/tiny")
    assert model.weights_source.startswith("by huggingface_hub")
    assert model.weights_state == "to be fetched"
    model.weights_id("pretrained")
    assert model.weights_state == "at hand"


def test_missing_files_of_a_folder_are_named(tmp_path: Path) -> None:
    name = f"hub:{tmp_path}"
    with pytest.raises(WeightsError, match=rf"{name}: there is no config.json in {tmp_path}"):
        get_backbone(name)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(WeightsError, match=rf"{name}: there is no image_converter.json in"):
        get_backbone(name)
    write(tmp_path)
    with pytest.raises(WeightsError, match=rf"{name}: there is no model.weights.h5 in"):
        undescribed(name).weights_id("pretrained")
    assert undescribed(name).weights_state == "to be fetched"
    assert undescribed(name).weights_source == f"by putting model.weights.h5 into {tmp_path}"


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config.json cannot be read: "):
        get_backbone(f"hub:{tmp_path}")
    write(tmp_path, config={"model_type": "vit"})
    with pytest.raises(
        WeightsError, match=r"names no class_name.*'hf:ORG/NAME' or .*'timm:ORG/NAME'"
    ):
        get_backbone(f"hub:{tmp_path}")


LAMBDA = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": "4wEA"}}
CALL = {"class_name": "function", "module": "keras.utils", "config": "get_file"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**CONFIG, "module": "os"}, r"names the module 'os': only those of keras_hub are used"),
        ({**CONFIG, "module": "keras.layers"}, r"names the module 'keras.layers'"),
        (changed(activation=LAMBDA), r"activation=\{'class_name': 'Lambda'.* another object: only"),
        (changed(stages=[[1, CALL]]), r"stages=\[\[1, \{'class_name': 'function'.* another object"),
        (changed(dtype={"config": {"name": "int8_from_float32"}}), r"of quantised weights: only"),
        (changed(dtype={"config": None}), r"of quantised weights"),
        ({**CONFIG, "class_name": "Functional"}, r"is a Functional: of KerasHub, these are .*VGG"),
        ({**CONFIG, "class_name": "CLIPBackbone"}, r"For CLIP and SigLIP give backbone='hf"),
    ],
)
def test_settings_that_name_other_objects_are_refused(
    config: dict[str, Any], message: str, tmp_path: Path, library: None
) -> None:
    write(tmp_path, config=config)
    with pytest.raises(WeightsError, match=message):
        get_backbone(f"hub:{tmp_path}")


def test_an_image_converter_must_be_plain_numbers(tmp_path: Path) -> None:
    write(tmp_path, image_converter={"class_name": "X", "config": {"scale": LAMBDA}})
    with pytest.raises(WeightsError, match=r"image_converter.json: scale=.* another object"):
        get_backbone(f"hub:{tmp_path}")


def test_precision_and_training_in_a_file_are_ignored(tmp_path: Path) -> None:
    floats = {"config": {"name": "mixed_bfloat16"}}
    write(tmp_path, config=changed(dtype=floats, trainable=False))
    assert read_settings(f"hub:{tmp_path}", "config.json") == (
        "VGGBackbone",
        CONFIG["config"],
    )


def test_sharded_weights_are_listed_by_their_index(tmp_path: Path) -> None:
    shards = ["model_00000.weights.h5", "model_00001.weights.h5"]
    index = {"weight_map": {"a": shards, "b": shards[0]}}
    write(tmp_path, **{"model.weights": index})
    name = f"hub:{tmp_path}"
    (tmp_path / shards[0]).touch()
    with pytest.raises(WeightsError, match=rf"there is no {shards[1]} in"):
        weight_files(name)
    assert undescribed(name).weights_state == "to be fetched"
    (tmp_path / shards[1]).touch()
    assert [path.name for path in weight_files(name)] == ["model.weights.json", *shards]
    assert undescribed(name).weights_state == "at hand"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_map": {"a": "../secret.h5"}}, r"names '../secret.h5', which is no file beside"),
        ({"weight_map": [1]}, r"names no files of weights: weight_map=\[1\]"),
        ({}, r"names no files of weights: weight_map=None"),
    ],
)
def test_an_index_must_name_files_beside_it(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write(tmp_path, **{"model.weights": settings})
    with pytest.raises(WeightsError, match=message):
        weight_files(f"hub:{tmp_path}")


def test_a_preset_is_identified_by_its_files(tmp_path: Path) -> None:
    name = f"hub:{write(tmp_path)}"
    (tmp_path / WEIGHTS).touch()
    both = {weights: preset_id(name, weights=weights) for weights in (True, False)}
    assert both[True] != both[False]
    (tmp_path / WEIGHTS).write_text("other")
    assert preset_id(name, weights=True) != both[True]
    assert preset_id(name, weights=False) == both[False]
    assert "random" in undescribed(name).weights_id("random")
    with pytest.raises(WeightsError, match=r"weights='mine.h5' of hub:.* nor a file"):
        undescribed(name).weights_id("mine.h5")


Reader = Callable[[dict[str, Any], Path], Any]


@pytest.mark.parametrize(
    ("settings", "size", "factors"),
    [
        ({"image_size": [48, 48], "scale": 0.5, "offset": -1}, 48, (0.5, -1.0)),
        ({"image_size": [None, None]}, None, (1.0, 0.0)),
        ({"scale": [1, 2, 3], "offset": [4, 5, 6]}, None, ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])),
        (
            {"height": 32, "width": 32, "scale": 0.5, "mean": [1, 2, 3], "variance": [4, 4, 16]},
            32,
            ([0.25, 0.25, 0.125], [-0.5, -1.0, -0.75]),
        ),
    ],
)
def test_preprocessing_is_the_presets_own(
    settings: dict[str, Any], size: int | None, factors: Any, tmp_path: Path
) -> None:
    assert converter_side(settings, tmp_path) == size
    assert scaling(settings, tmp_path) == factors


@pytest.mark.parametrize(
    ("read", "settings", "message"),
    [
        (
            converter_side,
            {"image_size": [32, 48]},
            r"image_size=\[32, 48\] is not that of square images",
        ),
        (converter_side, {"image_size": "big"}, r"image_size='big' is not"),
        (scaling, {"scale": [1, 2]}, r"scale=\[1, 2\] is neither one number nor three"),
        (scaling, {"offset": "x"}, r"offset='x' is neither"),
        (scaling, {"mean": 0, "variance": [1, 0, 1]}, r"variance=\[1, 0, 1\] is not positive"),
    ],
)
def test_unusable_preprocessing_is_refused(
    read: Reader, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        read(settings, tmp_path)


@pytest.mark.parametrize("side", [4, 7, 11])
@pytest.mark.parametrize("antialias", [True, False])
def test_positions_are_resized_as_jax_does(side: int, antialias: bool) -> None:
    import jax

    values = np.random.default_rng(0).normal(size=(7, 7, 3)).astype("float32")
    weights = bicubic_weights(7, side, antialias=antialias)
    ours = np.einsum("ai,bj,ijd->abd", weights, weights, values)
    theirs = jax.image.resize(values, (side, side, 3), "bicubic", antialias=antialias)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
