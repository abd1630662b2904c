"""What the image converter of a KerasHub preset does to pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vidclass.errors import WeightsError

Channels = float | list[float]


def side(stated: dict[str, Any], path: Path) -> int | None:
    """The side of the square pictures that an image converter makes; None where it says nothing.

    Args:
        stated: Its settings.
        path: Where they are from, for messages.

    Raises:
        WeightsError: they are of pictures that are no squares.
    """
    value = stated.get("image_size")
    if "height" in stated and "width" in stated:  # so in older presets
        value = [stated["height"], stated["width"]]
    if value is None or value == [None, None]:
        return None
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if type(value) is not int or value < 1:
        raise WeightsError(f"{path}: image_size={value!r} is not that of square pictures")
    return value


def scaling(stated: dict[str, Any], path: Path) -> tuple[Channels, Channels]:
    """The factor and the summand of a picture's numbers, for all channels or for each.

    Args:
        stated: The settings of an image converter.
        path: Where they are from, for messages.

    Raises:
        WeightsError: they are not numbers.
    """
    scale = _channels(stated, "scale", 1.0, path)
    if stated.get("mean") is None or stated.get("variance") is None:
        return scale, _channels(stated, "offset", 0.0, path)
    # So in older presets; KerasHub computes the same of them.
    mean, variance = (_three(_channels(stated, key, 0.0, path)) for key in ("mean", "variance"))
    if min(variance) <= 0:
        raise WeightsError(f"{path}: variance={stated['variance']!r} is not positive")
    deviation = [math.sqrt(value) for value in variance]
    factors = [own / by for own, by in zip(_three(scale), deviation, strict=True)]
    return factors, [-own / by for own, by in zip(mean, deviation, strict=True)]


def _channels(stated: dict[str, Any], key: str, default: float, path: Path) -> Channels:
    value = stated.get(key)
    if value is None:
        return default
    numbers = value if isinstance(value, list) else [value]
    if any(type(number) not in (int, float) for number in numbers) or len(numbers) not in (1, 3):
        raise WeightsError(f"{path}: {key}={value!r} is neither one number nor three")
    return [float(number) for number in numbers] if len(numbers) == 3 else float(numbers[0])


def _three(value: Channels) -> list[float]:
    return value if isinstance(value, list) else [value] * 3
