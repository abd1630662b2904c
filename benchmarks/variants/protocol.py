"""What every measured variant shares: it gets ready, warms up, measures once, prints one JSON line.

A variant is a process of its own, in an environment of its own, that runs alone; the script that
started it lets the variants take turns.  Only the standard library is used here.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any


def take_stdout() -> Callable[[Any], None]:
    """A function that prints a JSON line; what libraries print goes to standard error instead."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(value: Any) -> None:
        lines.write(json.dumps(value) + "\n")
        lines.flush()

    return tell


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` counted, and the `seconds` it took."""
    started = time.perf_counter()
    counted = work()
    return {"seconds": time.perf_counter() - started} | counted


def versions(*packages: str) -> dict[str, str]:
    """The installed version of each package."""
    return {package: version(package) for package in packages}


def read_clips(table: str) -> list[str]:
    """The videos of the CSV that all variants share."""
    with open(table, encoding="utf-8", newline="") as file:
        return [row["video"] for row in csv.DictReader(file)]


def frame_numbers(policy: str, count: int, frames: int) -> Sequence[int]:
    """The frames to use out of `count`: the first ones (`head`) or evenly spaced ones."""
    if policy == "head" or count <= frames:
        return range(min(count, frames))
    return [int((i + 0.5) * count / frames) for i in range(frames)]


def save_features(file: str, features: Mapping[str, Any]) -> None:
    """Keep the features (T,D) of each video."""
    import numpy as np

    np.savez(file, **{video.replace("/", "|"): value for video, value in features.items()})
