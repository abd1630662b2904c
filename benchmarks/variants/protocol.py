"""Protocol of every variant: prepare, warm up, measure once, print one line of JSON.

A variant is a process of its own, in an environment of its own, that runs alone.  Only the standard
library is used here.
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
    """Return a function that prints a line of JSON; redirect all other output to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write_line(value: Any) -> None:
        lines.write(json.dumps(value) + "\n")
        lines.flush()

    return write_line


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the counts of `work` and the `seconds` it took."""
    started = time.perf_counter()
    counts = work()
    return {"seconds": time.perf_counter() - started} | counts


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}


def read_clips(table: str) -> list[str]:
    """Return the videos of the CSV that all variants share."""
    with open(table, encoding="utf-8", newline="") as file:
        return [row["video"] for row in csv.DictReader(file)]


def frame_numbers(policy: str, count: int, frames: int) -> Sequence[int]:
    """Return the indices of the first of `count` frames (`first`) or of evenly spaced ones."""
    if policy == "first" or count <= frames:
        return range(min(count, frames))
    return [int((i + 0.5) * count / frames) for i in range(frames)]


def save_features(file: str, features: Mapping[str, Any]) -> None:
    """Save the features (T,D) of each video."""
    import numpy as np

    np.savez(file, **{video.replace("/", "|"): value for video, value in features.items()})
