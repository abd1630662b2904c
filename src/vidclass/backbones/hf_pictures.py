"""How a model of transformers wants its pictures, as a file beside its settings says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidclass.backbones.hub_files import CONFIG, PICTURES, pictures_file, read_json
from vidclass.errors import WeightsError


@dataclass(frozen=True)
class Pictures:
    """The input of a model.

    Attributes:
        size: The side of its square pictures, in pixels.
        mean: Of each channel, of pixels that were multiplied by `scale`.
        std: Of each channel, likewise.
        scale: As a rule 1/255.
    """

    size: int
    mean: list[float]
    std: list[float]
    scale: float


def read_pictures(folder: Path, name: str) -> Pictures:
    """The input of the model in `folder`.

    Raises:
        WeightsError: the file is missing, or lacks what is needed.
    """
    file = pictures_file(folder)
    if file is None:
        raise WeightsError(
            f"{name}: there is no {PICTURES[0]} in {folder}, which says how pictures are normalised"
        )
    says = _of_pictures(read_json(file))
    side = says.get("crop_size") if says.get("do_center_crop", True) else None
    size = _side(side or says.get("size")) or _own_side(folder)
    if size is None:
        raise WeightsError(
            f"{name}: neither {file.name} nor {CONFIG} in {folder} names the size of square "
            f"pictures: size={says.get('size')!r}, crop_size={says.get('crop_size')!r}"
        )
    scale = says.get("rescale_factor", 1 / 255) if says.get("do_rescale", True) else 1.0
    if not says.get("do_normalize", True):
        return Pictures(size, [0.0] * 3, [1.0] * 3, float(scale))
    mean, std = (_channels(says, key, name, file) for key in ("image_mean", "image_std"))
    return Pictures(size, mean, std, float(scale))


def _of_pictures(says: dict[str, Any]) -> dict[str, Any]:
    """Without what is for texts: one file may have both."""
    for part in ("image_processor", "video_processor"):
        if isinstance(says.get(part), dict):
            return dict(says[part])
    return says


def own_side(config: dict[str, Any]) -> int | None:
    """The side that a model was made for, as its own settings name it."""
    vision = config.get("vision_config")
    return _side((vision if isinstance(vision, dict) else config).get("image_size"))


def _own_side(folder: Path) -> int | None:
    return own_side(read_json(folder / CONFIG))


def _side(value: Any) -> int | None:
    """The side in any of the ways in which it is written; None if the picture is not square."""
    if isinstance(value, dict):
        sides = {value[key] for key in ("height", "width", "shortest_edge") if value.get(key)}
    else:
        sides = set(value) if isinstance(value, list) else {value}
    side = next(iter(sides), None)
    return side if len(sides) == 1 and type(side) is int and side > 0 else None


def _channels(says: dict[str, Any], key: str, name: str, file: Path) -> list[float]:
    value = says.get(key)
    if not isinstance(value, list) or len(value) != 3 or not all(map(_is_number, value)):
        raise WeightsError(f"{name}: {key}={value!r} in {file} is not three numbers")
    return [float(number) for number in value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
