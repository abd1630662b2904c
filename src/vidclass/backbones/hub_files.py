"""Files of a pretrained model: in a folder of the user's, or in huggingface_hub's cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from vidclass._core.extras import require_extra
from vidclass._core.files import sha256_of
from vidclass.backbones.family import WeightsState
from vidclass.errors import WeightsError

CONFIG = "config.json"
# Files in which transformers describes the images a model takes: the first that is there.
IMAGE_SETTINGS = (
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
)
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_WEIGHTS = ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"]


def is_folder(location: str) -> bool:
    """Return whether `location` is a folder on this machine, and not a name on the hub."""
    return os.path.isdir(location)  # unlike Path.is_dir, false for names that no file can have


def cached_folder(repository: str) -> Path | None:
    """Return the folder in which huggingface_hub has cached a repository; None if it has not.

    Read without the library: what was fetched is of use where it is not installed.
    """
    home = _cache() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = home / "snapshots" / commit
    return folder if (folder / CONFIG).is_file() else None


def cached_revision(repository: str) -> dict[str, str]:
    """Return the `revision` to fetch further files of, if a part of the repository is cached.

    One version for all files: that of the settings, though the repository may have moved on.
    """
    folder = cached_folder(repository)
    return {} if folder is None else {"revision": folder.name}


def model_folder(
    location: str, *, name: str, weights: bool = False, image_settings: bool = False
) -> Path:
    """Return the folder with the files of a model, fetched if it is not on this machine.

    Args:
        location: Folder, or repository on the hub.
        name: Name of the backbone, for messages.
        weights: Fetch the weights too, not only the settings.
        image_settings: Fetch the description of its images too, not only the settings.

    Raises:
        ConfigError: huggingface_hub is needed, and not installed.
        WeightsError: there is no such folder, a file is missing in it, or it cannot be fetched.
    """
    if is_folder(location):
        folder = Path(location)
        _require_file(folder / CONFIG, name)
    else:
        if not REPOSITORY.fullmatch(location):
            raise WeightsError(
                f"{name}: {location!r} is neither a folder nor a name on the Hugging Face hub, as "
                "in ORG/NAME"
            )
        cached = cached_folder(location)
        # Another program may have fetched a part of what is needed here.
        complete = (
            cached is not None
            and (not image_settings or image_settings_file(cached))
            and (not weights or weight_files(cached))
        )
        if cached is None or not complete:
            cached = _fetch(location, name=name, weights=weights)
        folder = cached
    if weights and not weight_files(folder):
        # Without a network huggingface_hub is content with a part that it has.
        more = "" if is_folder(location) else f", or it was not fetched. {_remedy(location, name)}"
        raise WeightsError(
            f"the weights of {name} are not in {folder}: there is no model.safetensors, and no "
            f"other format is read{more}"
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """Return the files of weights in a folder, sorted by name; empty unless all are there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [path for path in [folder / "model.safetensors"] if path.is_file()]
    names = set(read_json(index).get("weight_map", {}).values())
    paths = [folder / str(name) for name in sorted(names)]
    return paths if all(path.is_file() for path in paths) else []


def image_settings_file(folder: Path) -> Path | None:
    """Return the file that describes the images a model of transformers takes, if there is one."""
    return next((folder / name for name in IMAGE_SETTINGS if (folder / name).is_file()), None)


def weights_state(location: str) -> WeightsState:
    """Return whether the weights are in the user's folder, or were fetched."""
    folder = Path(location) if is_folder(location) else cached_folder(location)
    return "at hand" if folder and weight_files(folder) else "to be fetched"


def weights_source(location: str) -> str:
    """Return how missing weights come to this machine."""
    if is_folder(location):
        return f"by putting model.safetensors into {location}"
    return "by huggingface_hub (pip install 'vidclass[torch]'), when it is first used"


def files_id(location: str, folder: Path, *, weights: bool) -> str:
    """Return a text that changes with the files: the hub's commit, or a checksum of a folder's."""
    if not is_folder(location):
        return folder.name
    paths = [path for path in (folder / CONFIG, image_settings_file(folder)) if path]
    return joint_sha256(paths + (weight_files(folder) if weights else []))


def joint_sha256(paths: list[Path]) -> str:
    """Return one checksum of several files, in their order."""
    return hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        WeightsError: it is missing or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path} holds a {type(value).__name__}, not the settings of a model")
    return value


def three_numbers(settings: dict[str, Any], key: str, name: str, file: Path) -> list[float]:
    """Return a setting with one number for each channel.

    Raises:
        WeightsError: it is something else; the message names the backbone and the file.
    """
    value = settings.get(key)
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 3 or any(type(number) not in (int, float) for number in numbers):
        raise WeightsError(f"{name}: {key}={value!r} in {file} is not three numbers")
    return [float(number) for number in numbers]


def first_line(error: Exception) -> str:
    """Return the first line of a library's error as a sentence."""
    text = (str(error).strip().splitlines() or ["no reason was given."])[0]
    return text if text.endswith(".") else f"{text}."


def _cache() -> Path:
    """Return the folder of huggingface_hub's cache, by its own rules."""
    if chosen := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(chosen).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else cache / "huggingface") / "hub"


def _require_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise WeightsError(f"{name}: there is no {path.name} in {path.parent}")


def _fetch(repository: str, *, name: str, weights: bool) -> Path:
    hub = require_extra("huggingface_hub", "torch", needed_by=f"the backbone {name}")
    patterns = [CONFIG, *IMAGE_SETTINGS, *(_WEIGHTS if weights else [])]
    try:
        folder = Path(
            hub.snapshot_download(
                repository,
                allow_patterns=patterns,
                cache_dir=_cache(),
                **cached_revision(repository),
            )
        )
    except Exception as error:  # its errors are of many kinds, those of the network among them
        raise WeightsError(
            f"the files of {name} are not on this machine and cannot be fetched: "
            f"{type(error).__name__}: {first_line(error)} {_remedy(repository, name)}"
        ) from error
    _require_file(folder / CONFIG, name)
    return folder


def _remedy(repository: str, name: str) -> str:
    prefix = name.partition(":")[0] if ":" in name else "hf"
    return (
        f"Where there is a network, download {CONFIG}, {IMAGE_SETTINGS[0]} (if there is one) and "
        f"model.safetensors of {repository} from the Hugging Face hub, put them into a folder, and "
        f"give backbone='{prefix}:FOLDER'"
    )
