"""The files of a KerasHub preset: a folder's, or fetched from Kaggle or Hugging Face.

They are read as numbers and plain settings.  Nothing here makes objects of what a file names.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vidclass._core.extras import require_extra
from vidclass._core.files import sha256_of
from vidclass.backbones import hub_files
from vidclass.backbones.hub_files import CONFIG, is_folder, read_json
from vidclass.errors import ConfigError, WeightsError

PREFIX = "hub:"
PICTURES = "image_converter.json"
WEIGHTS, SHARDS = "model.weights.h5", "model.weights.json"
_HF, _KAGGLE = "hf://", "kaggle://"
# ORG/MODEL/keras/VARIATION/VERSION: without the version, Kaggle would have to be asked for it.
_HANDLE = re.compile(r"(?:\w[\w.-]*/){4}\d+")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FILE = re.compile(r"\w[\w.-]*")
# The library had another name when the oldest presets were saved.
_PACKAGES = ("keras_hub", "keras_nlp")


def keras_hub_for(name: str) -> Any:
    """The module keras_hub.

    Raises:
        ConfigError: it is not installed, or another library is that it needs.
    """
    try:
        return require_extra("keras_hub", "hub", needed_by=f"the backbone {name}")
    except ImportError as error:
        raise ConfigError(
            f"the backbone {name} needs keras_hub, which is installed but cannot be imported: "
            f"{error}"
        ) from error


def place_of(name: str) -> str:
    """A folder, the name of a preset, or a handle, without the prefix."""
    return name.removeprefix(PREFIX)


def preset_file(name: str, file: str, families: Collection[str]) -> Path:
    """A file of the preset behind `hub:`, fetched if it is not on this machine.

    Args:
        name: The backbone: `hub:` and a folder, the name of a preset, `hf://ORG/NAME`, or
            `kaggle://ORG/MODEL/keras/VARIATION/VERSION`.
        file: Its name in the preset.
        families: The classes of KerasHub whose presets are known by name.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: the file is missing or cannot be fetched.
    """
    place = place_of(name)
    if is_folder(place):
        if not (Path(place) / file).is_file():
            raise WeightsError(f"{name}: there is no {file} in {place}")
        return Path(place) / file
    handle = _handle(name, families)
    found = _kept(handle, file)
    return _fetched(name, handle, file) if found is None else found


def weight_files(name: str, families: Collection[str]) -> list[Path]:
    """The files of a preset's weights; of those in parts the list of them comes first.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: one is missing or cannot be fetched.
    """
    try:
        return [preset_file(name, WEIGHTS, families)]
    except WeightsError as error:
        try:
            listing = preset_file(name, SHARDS, families)
        except WeightsError:
            raise error from error.__cause__
    return [listing, *(preset_file(name, part, families) for part in _parts(listing))]


def weights_at_hand(name: str, families: Collection[str]) -> bool:
    """Whether all weights of the preset are on this machine; fetches nothing."""
    place = place_of(name)
    handle = place if is_folder(place) else _handle(name, families)
    if _kept(handle, WEIGHTS):
        return True
    listing = _kept(handle, SHARDS)
    return listing is not None and all(_kept(handle, part) for part in _parts(listing))


def identity(name: str, families: Collection[str], *, weights: bool) -> str:
    """What changes with the preset's settings and, on demand, its weights: their checksums."""
    paths = [preset_file(name, file, families) for file in (CONFIG, PICTURES)]
    paths += weight_files(name, families) if weights else []
    return hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()


def settings(name: str, file: str, families: Collection[str]) -> tuple[str, dict[str, Any]]:
    """The class that one of a preset's two JSON files is of, and the arguments to make it with.

    Keras would make objects of any class, and call any function, that such a file names.  So the
    class must be one of KerasHub's, and its arguments numbers and words alone.

    Raises:
        ConfigError: there is no such preset, or a library is not installed.
        WeightsError: the file cannot be had, or says something else.
    """
    path = preset_file(name, file, families)
    value = read_json(path)
    kind, stated = value.get("class_name"), value.get("config")
    if not isinstance(kind, str) or not isinstance(stated, dict):
        raise WeightsError(
            f"{path} is not of KerasHub's own format: it names no class_name. For a model of "
            "transformers or timm give --backbone hf:ORG/NAME or timm:ORG/NAME"
        )
    module = value.get("module")
    if module is not None and str(module).partition(".")[0] not in _PACKAGES:
        raise WeightsError(f"{path} names the module {module!r}: only those of keras_hub are used")
    _require_float(path, stated.get("dtype"))
    # Layers are made in the precision that is asked for, and which are trained is not said here.
    plain = {key: made for key, made in stated.items() if key not in ("dtype", "trainable")}
    for key, made in plain.items():
        if not _is_plain(made):
            raise WeightsError(
                f"{path}: {key}={made!r:.200} describes another object: only numbers, words and "
                "lists of them are used"
            )
    return kind, plain


def _handle(name: str, families: Collection[str]) -> str:
    """Where the files of a preset that is no folder come from."""
    place = place_of(name)
    if place.startswith(_HF) and _REPOSITORY.fullmatch(place.removeprefix(_HF)):
        return place
    if place.startswith(_KAGGLE) and _HANDLE.fullmatch(place.removeprefix(_KAGGLE)):
        return place
    hub = keras_hub_for(name)
    known = {
        preset: facts
        for family in families
        for preset, facts in getattr(hub.models, family).presets.items()
    }
    if place in known:
        return str(known[place]["kaggle_handle"])
    near = get_close_matches(place, known, n=1)
    hint = f" Did you mean {PREFIX}{near[0]}?" if near else ""
    raise ConfigError(
        f"backbone={name!r}: {place!r} is neither a folder, nor {_HF}ORG/NAME, nor "
        f"{_KAGGLE}ORG/MODEL/keras/VARIATION/VERSION, nor one of KerasHub {hub.__version__}'s "
        f"presets for pictures.{hint}"
    )


def _kept(handle: str, file: str) -> Path | None:
    """A file that is in a folder, or was fetched before; found without any library."""
    if handle.startswith(_HF):
        folder = hub_files.kept(handle.removeprefix(_HF))
    elif handle.startswith(_KAGGLE):
        cache = Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
        folder = cache / "models" / handle.removeprefix(_KAGGLE)
        # kagglehub makes this file once the other is whole.
        if not (folder.parent / ".complete" / folder.name / f"{file}.complete").exists():
            return None
    else:
        folder = Path(handle)
    return folder / file if folder is not None and (folder / file).is_file() else None


def _fetched(name: str, handle: str, file: str) -> Path:
    of_hf = handle.startswith(_HF)
    library = "huggingface_hub" if of_hf else "kagglehub"
    client = require_extra(library, "hub", needed_by=f"the backbone {name}")
    try:
        if not of_hf:
            return Path(client.model_download(handle.removeprefix(_KAGGLE), file))
        repository = handle.removeprefix(_HF)
        # One version for all files: what the settings came from, though the repository may move on.
        found = hub_files.kept(repository)
        revision = {} if found is None else {"revision": found.name}
        return Path(client.hf_hub_download(repository, file, **revision))
    except Exception as error:  # of many kinds, those of the network among them
        place = place_of(name)
        why = (str(error).strip().splitlines() or ["no reason was given."])[0]
        raise WeightsError(
            f"{file} of {name} is not on this machine and cannot be fetched: "
            f"{type(error).__name__}: {why}{'' if why.endswith('.') else '.'} Where there is a "
            f"network, save the preset to a folder with keras_hub.models.Backbone.from_preset"
            f"({place!r}).save_to_preset(FOLDER) and keras_hub.layers.ImageConverter.from_preset"
            f"({place!r}).save_to_preset(FOLDER), and give --backbone {PREFIX}FOLDER"
        ) from error


def _parts(listing: Path) -> list[str]:
    """The names of the files in which the weights are, as the list of them has it."""
    stated = read_json(listing).get("weight_map")
    if not isinstance(stated, dict):
        raise WeightsError(f"{listing} names no files of weights: weight_map={stated!r}")
    values = [value if isinstance(value, list) else [value] for value in stated.values()]
    names = {str(part) for value in values for part in value}
    for part in names:
        if not _FILE.fullmatch(part):
            raise WeightsError(f"{listing} names {part!r}, which is no file beside it")
    return sorted(names)


def _require_float(path: Path, dtype: Any) -> None:
    if dtype is None:
        return
    policy = dtype.get("config") if isinstance(dtype, dict) else {"name": dtype}
    kind = str(policy.get("name")) if isinstance(policy, dict) else ""
    if not kind.removeprefix("mixed_").startswith(("float", "bfloat")):
        raise WeightsError(
            f"{path}: dtype={dtype!r:.200} is of quantised weights: only floating point is read"
        )


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)
