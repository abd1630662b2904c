"""The files of a pretrained model: a folder of the user's, or one that huggingface_hub keeps."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from vidclass._core.extras import require_extra
from vidclass._core.files import sha256_of
from vidclass.errors import WeightsError

CONFIG = "config.json"
# Where the pictures that a model of transformers wants are described: the first that is there.
PICTURES = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_WEIGHTS = ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"]


def is_folder(place: str) -> bool:
    """Whether `place` is a folder of this machine, and not a name on the hub."""
    return os.path.isdir(place)  # unlike Path.is_dir, false for names that no file can have


def kept(repository: str) -> Path | None:
    """The folder in which huggingface_hub keeps a repository on this machine, if it does.

    Read without the library: what was fetched is of use where it is not installed.
    """
    home = _cache() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = home / "snapshots" / commit
    return folder if (folder / CONFIG).is_file() else None


def located(place: str, *, name: str, weights: bool = False, pictures: bool = False) -> Path:
    """The folder with the files of a model, fetched if it is not on this machine.

    Args:
        place: A folder, or a repository on the hub.
        name: The backbone, for messages.
        weights: Fetch the weights too, and not the settings alone.
        pictures: Whether a description of its pictures is needed, and not its settings alone.

    Raises:
        ConfigError: huggingface_hub is needed, and not installed.
        WeightsError: there is no such folder, something is missing in it, or it cannot be fetched.
    """
    if is_folder(place):
        folder = Path(place)
        _require_file(folder / CONFIG, name)
    else:
        if not _REPOSITORY.fullmatch(place):
            raise WeightsError(
                f"{name}: {place!r} is neither a folder nor a name on the Hugging Face hub, as in "
                "ORG/NAME"
            )
        found = kept(place)
        # Another program may have fetched a part of what is needed here.
        whole = (
            found is not None
            and (not pictures or pictures_file(found))
            and (not weights or weight_files(found))
        )
        if found is None or not whole:
            found = _fetched(place, name=name, weights=weights)
        folder = found
    if weights and not weight_files(folder):
        # Without a network huggingface_hub is content with a part that it has.
        more = "" if is_folder(place) else f", or it was not fetched. {_remedy(place, name)}"
        raise WeightsError(
            f"the weights of {name} are not in {folder}: there is no model.safetensors, and no "
            f"other format is read{more}"
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The files of weights in a folder, in the order of their names; empty unless all are there."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [path for path in [folder / "model.safetensors"] if path.is_file()]
    names = set(read_json(index).get("weight_map", {}).values())
    paths = [folder / str(name) for name in sorted(names)]
    return paths if all(path.is_file() for path in paths) else []


def pictures_file(folder: Path) -> Path | None:
    """The file that describes the pictures a model of transformers wants, if there is one."""
    return next((folder / name for name in PICTURES if (folder / name).is_file()), None)


def weights_state(place: str) -> str:
    """Whether the weights are in the user's folder, or were fetched."""
    folder = Path(place) if is_folder(place) else kept(place)
    return "at hand" if folder and weight_files(folder) else "to be fetched"


def weights_source(place: str) -> str:
    """How missing weights come to this machine."""
    if is_folder(place):
        return f"by putting model.safetensors into {place}"
    return "by huggingface_hub (pip install 'vidclass[torch]'), when it is first used"


def identity(place: str, folder: Path, *, weights: bool) -> str:
    """What changes with the files: the hub's commit, or the checksums of a folder's files."""
    if not is_folder(place):
        return folder.name
    paths = [path for path in (folder / CONFIG, pictures_file(folder)) if path]
    paths += weight_files(folder) if weights else []
    return hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds one object.

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


def _cache() -> Path:
    """Where huggingface_hub keeps what it fetches, by its own rules."""
    if chosen := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(chosen).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else cache / "huggingface") / "hub"


def _require_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise WeightsError(f"{name}: there is no {path.name} in {path.parent}")


def _fetched(repository: str, *, name: str, weights: bool) -> Path:
    hub = require_extra("huggingface_hub", "torch", needed_by=f"the backbone {name}")
    wanted = [CONFIG, *PICTURES, *(_WEIGHTS if weights else [])]
    # One version for all files: what the settings came from, though the repository may move on.
    found = kept(repository)
    revision = {} if found is None else {"revision": found.name}
    try:
        folder = Path(
            hub.snapshot_download(repository, allow_patterns=wanted, cache_dir=_cache(), **revision)
        )
    except Exception as error:  # its errors are of many kinds, those of the network among them
        raise WeightsError(
            f"the files of {name} are not on this machine and cannot be fetched: "
            f"{type(error).__name__}: {_first_line(error)} {_remedy(repository, name)}"
        ) from error
    _require_file(folder / CONFIG, name)
    return folder


def _remedy(repository: str, name: str) -> str:
    family = name.partition(":")[0] if ":" in name else "hf"
    return (
        f"Where there is a network, download {CONFIG}, {PICTURES[0]} (if there is one) and "
        f"model.safetensors of {repository} from the Hugging Face hub, put them into a folder, and "
        f"give --backbone {family}:FOLDER"
    )


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or ["no reason was given."])[0]
    return text if text.endswith(".") else f"{text}."
