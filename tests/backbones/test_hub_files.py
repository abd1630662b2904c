"""Files of pretrained models in folders and in the cache of the hub; needs no library."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vidclass.backbones import Backbone, get_backbone, hub_files
from vidclass.backbones.hub_files import (
    cached_folder,
    files_id,
    model_folder,
    read_json,
    weight_files,
)
from vidclass.backbones.hugging_face.family import HuggingFace
from vidclass.backbones.timm import Timm
from vidclass.errors import ConfigError, WeightsError

COMMIT = "c0ffee"
SOURCE = str(Path(hub_files.__file__).parents[2])
INDEX = "model.safetensors.index.json"
SETTINGS = {"crop_size": 32, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.3, 0.2]}
TIMM = {"architecture": "a", "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0, 0, 0]}}
ADVICE = (
    "Where there is a network, download config.json, preprocessor_config.json (if there is one) "
    "and model.safetensors of {} from the Hugging Face hub, put them into a folder, and give "
    "backbone='{}:FOLDER'"
)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of fetched repositories, empty."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "hf" / "hub"


def cache(hub: Path, repository: str, *files: str) -> Path:
    """Write a repository into the cache as huggingface_hub does, and return its folder."""
    home = hub / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return write(home / "snapshots" / COMMIT, *files)


def write(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        text = SETTINGS if file == "preprocessor_config.json" else {}
        (folder / file).write_text(json.dumps(text))
    return folder


def fake_hub(monkeypatch: pytest.MonkeyPatch, download: Any) -> None:
    library = SimpleNamespace(snapshot_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)


def without(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)


def test_the_cache_is_read_without_the_library(hub: Path) -> None:
    assert cached_folder("org/tiny") is None
    folder = cache(hub, "org/tiny", "config.json")
    assert cached_folder("org/tiny") == folder
    assert model_folder("org/tiny", name="hf:org/tiny") == folder


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
def test_the_cache_is_where_the_library_has_it(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert cached_folder("org/tiny") is None
    folder = cache(tmp_path / "elsewhere", "org/tiny", "config.json")
    assert cached_folder("org/tiny") == folder


def test_the_default_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache(tmp_path / "huggingface" / "hub", "org/tiny", "config.json")
    assert cached_folder("org/tiny") == folder


def test_missing_files_are_fetched_at_the_cached_commit(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache(hub, "org/tiny", "config.json")
    requests: list[dict[str, Any]] = []

    def download(repository: str, **options: Any) -> str:
        requests.append({"repository": repository, **options})
        return str(write(folder, "model.safetensors"))

    fake_hub(monkeypatch, download)
    assert model_folder("org/tiny", name="hf:org/tiny", weights=True) == folder
    assert (
        model_folder("org/tiny", name="hf:org/tiny", weights=True) == folder
    )  # nothing is missing now
    assert [(one["repository"], one["revision"], one["cache_dir"]) for one in requests] == [
        ("org/tiny", COMMIT, hub)
    ]
    assert not any(pattern.endswith(".bin") for pattern in requests[0]["allow_patterns"])


def test_settings_are_fetched_without_weights(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_: str, **options: Any) -> str:
        assert options["allow_patterns"] == ["config.json", *hub_files.IMAGE_SETTINGS]
        assert "revision" not in options
        return str(cache(hub, "org/tiny", "config.json"))

    fake_hub(monkeypatch, download)
    assert model_folder("org/tiny", name="hf:org/tiny").name == COMMIT


@pytest.mark.parametrize(
    ("name", "repository", "family"),
    [
        ("hf:org/tiny", "org/tiny", "hf"),
        ("dinov2_small", "facebook/dinov2-small", "hf"),
        ("timm:resnet18.a1_in1k", "timm/resnet18.a1_in1k", "timm"),
    ],
)
def test_without_a_network_the_error_says_what_to_download(
    name: str, repository: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: Any, **__: Any) -> str:
        raise ConnectionError("the name is not known\nand more")

    fake_hub(monkeypatch, download)
    with pytest.raises(WeightsError) as caught:
        get_backbone(name).weights_id("pretrained")
    assert str(caught.value) == (
        f"the files of {name} are not on this machine and cannot be fetched: ConnectionError: the "
        f"name is not known. {ADVICE.format(repository, family)}"
    )


def test_a_download_without_weights_is_refused(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache(hub, "org/tiny", "config.json", "preprocessor_config.json")
    fake_hub(monkeypatch, lambda *_, **__: str(folder))
    with pytest.raises(WeightsError) as caught:
        model_folder("org/tiny", name="hf:org/tiny", weights=True)
    assert str(caught.value) == (
        f"the weights of hf:org/tiny are not in {folder}: there is no model.safetensors, and no "
        f"other format is read, or it was not fetched. {ADVICE.format('org/tiny', 'hf')}"
    )


@pytest.mark.parametrize("name", ["clip_vit_b32", "hf:org/tiny", "timm:org/tiny"])
def test_a_missing_library_is_named_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "huggingface_hub")
    message = (
        rf"the backbone {name} needs huggingface_hub, which is not installed: "
        r"pip install 'vidclass\[torch\]'"
    )
    with pytest.raises(ConfigError, match=message):
        get_backbone(name).weights_id("pretrained")


@pytest.mark.parametrize("family", ["hf", "timm"])
def test_measuring_a_model_needs_its_libraries(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child process imports a PyTorch that is missing, on whatever machine."""
    missing = "raise ModuleNotFoundError('not here', name='torch')"
    (tmp_path / "torch.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), SOURCE]))
    folder = write(tmp_path / "model", "preprocessor_config.json")
    (folder / "config.json").write_text(json.dumps(TIMM))
    message = r"needs torch, which is not installed: pip install 'vidclass\[torch\]'"
    with pytest.raises(ConfigError, match=message):
        get_backbone(f"{family}:{folder}")


@pytest.mark.parametrize("location", ["./nothere", "org/tiny/more", "/abs/nothere"])
def test_neither_folder_nor_name_is_refused(location: str) -> None:
    message = rf"hf:{location}: '{location}' is neither a folder nor a name on the Hugging Face hub"
    with pytest.raises(WeightsError, match=message):
        get_backbone(f"hf:{location}")


def test_timm_names_have_a_tag() -> None:
    with pytest.raises(ConfigError, match=r"backbone='timm:resnet18' names no weights: .*a1_in1k"):
        get_backbone("timm:resnet18")
    assert Timm().location("timm:resnet18.a1_in1k") == "timm/resnet18.a1_in1k"
    assert Timm().location("timm:org/tiny") == "org/tiny"


def test_unknown_families_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"family of backbones='tim' .* Did you mean 'timm'\?"):
        get_backbone("tim:resnet18.a1_in1k")


def test_missing_files_of_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"there is no config.json in {tmp_path}"):
        get_backbone(f"hf:{tmp_path}")
    write(tmp_path, "config.json")
    with pytest.raises(WeightsError, match=r"there is no preprocessor_config.json in .*normalised"):
        get_backbone(f"hf:{tmp_path}")
    with pytest.raises(WeightsError, match=r"there is no model.safetensors, and no other format"):
        model_folder(str(tmp_path), name="hf:x", weights=True)
    with pytest.raises(WeightsError, match=r"input_size=None in .* is not that of square images"):
        get_backbone(f"timm:{tmp_path}")


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config.json cannot be read: "):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"config.json holds a list, not the settings"):
        read_json(tmp_path / "config.json")


def test_sharded_weights_count_only_when_complete(tmp_path: Path) -> None:
    shards = ["model-1.safetensors", "model-2.safetensors"]
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": dict(zip("abc", shards * 2))}))  # noqa: B905
    write(tmp_path, shards[0])
    assert weight_files(tmp_path) == []
    write(tmp_path, shards[1])
    assert [path.name for path in weight_files(tmp_path)] == shards


def test_a_folder_is_identified_by_its_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "config.json", "model.safetensors")
    location = str(folder)
    both = {weights: files_id(location, folder, weights=weights) for weights in (True, False)}
    (folder / "model.safetensors").write_text("other")
    assert files_id(location, folder, weights=True) != both[True]
    assert files_id(location, folder, weights=False) == both[False]
    (folder / "config.json").write_text("other")
    assert files_id(location, folder, weights=False) != both[False]


def test_a_model_of_the_hub_is_identified_by_its_commit(hub: Path) -> None:
    alias = get_backbone("dinov2_small")
    assert alias.weights_state == "to be fetched"
    assert alias.weights_id("random") == "hf-1-random-facebook/dinov2-small"
    files = ("config.json", "preprocessor_config.json", "model.safetensors")
    cache(hub, "facebook/dinov2-small", *files)
    assert alias.weights_state == "at hand"
    assert alias.weights_id("pretrained") == f"hf-1-{COMMIT}"
    assert alias.weights_id("random") == f"hf-1-random-{COMMIT}"


@pytest.mark.parametrize("family", ["hf", "timm"])
def test_other_weights_are_refused(family: str, tmp_path: Path) -> None:
    families = {"hf": HuggingFace(), "timm": Timm()}
    model = Backbone(f"{family}:{tmp_path}", families[family], 32, 8, 9)
    message = rf"weights='mine.h5' of {family}:.* neither 'pretrained'.*backbone='{family}:FOLDER'"
    with pytest.raises(WeightsError, match=message):
        model.weights_id("mine.h5")
    assert model.weights_state == "to be fetched"
    assert model.weights_source == f"by putting model.safetensors into {tmp_path}"
