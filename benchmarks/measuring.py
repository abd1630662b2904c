"""Shared by the benchmarks: clips, child processes, medians, tables, conditions."""

from __future__ import annotations

import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
# Timeout of a process.
LIMIT_S = 3600
REAL_CLIPS = HERE.parents[1] / "shared" / "data" / "ucf11_9class"


class ChildError(Exception):
    """A measured process failed."""


def run_child(
    command: Sequence[object], *, log: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run a process and return its standard output; standard error goes into `log`.

    Raises:
        ChildError: It failed or timed out; the message is the last line of its standard error.
    """
    with log.open("w+", encoding="utf-8", errors="replace") as errors:
        try:
            done = subprocess.run(
                [str(part) for part in command],
                env={**os.environ, **(environment or {})},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                check=False,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise ChildError(f"no end within {LIMIT_S} s") from error
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    if done.returncode != 0:
        raise ChildError(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


def run_variant(script: str, *arguments: object, python: str, **options: Any) -> dict[str, Any]:
    """Run a script of `variants/` and return the JSON it prints.

    Raises:
        ChildError: It failed.
    """
    output = run_child([python, HERE / "variants" / script, *arguments], **options)
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def run_vidclass(*arguments: object, log: Path, **environment: str) -> dict[str, Any]:
    """Run a vidclass command; return its wall time `seconds`, `peak_mb` and `loaded` libraries.

    Raises:
        ChildError: It failed.
    """
    facts = log.with_suffix(".facts.json")
    script = HERE / "variants" / "command.py"
    started = time.perf_counter()
    run_child([sys.executable, script, facts, *arguments], log=log, environment=environment)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, **json.loads(facts.read_text(encoding="utf-8"))}


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` evenly spaced paths, or all."""
    step = max(1.0, len(paths) / count)
    return [paths[int(number * step)] for number in range(min(count, len(paths)))]


def find_clips(source: Path, count: int, generated: Path) -> list[Path]:
    """Return `count` clips of a folder of classes, or generated ones if there is no such folder."""
    from vidclass.data.media_files import VIDEO_EXTENSIONS

    if not source.is_dir():
        print(f"{source} does not exist: generating clips", file=sys.stderr)
        return make_clips(generated, count)
    paths = [path for path in sorted(source.rglob("*")) if path.suffix in VIDEO_EXTENSIONS]
    return spread([path.resolve() for path in paths], count)


def make_clips(
    folder: Path, count: int, *, frames: int = 150, size: tuple[int, int] = (240, 320)
) -> list[Path]:
    """Write different clips (mpeg4 AVI, 25 frames per second) of two classes."""
    from vidclass.video.write import write_video

    paths = [folder / f"class{n % 2}" / f"clip{n:05d}.avi" for n in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            write_video(path, moving_frames(frames, size, seed=number), fps=25)
    return paths


def moving_frames(count: int, size: tuple[int, int], *, seed: int) -> Iterable[np.ndarray]:
    """Yield `count` frames (H,W,3) uint8 of a drifting coarse pattern of random colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    tall, wide = -(-size[0] // 12), -(-size[1] // 16)
    pattern = coarse.repeat(tall, 0).repeat(wide, 1)[: size[0], : size[1]]
    for number in range(count):
        yield np.roll(pattern, (number, 2 * number), (0, 1))


def write_table(path: Path, clips: Iterable[Path]) -> Path:
    """Write a CSV of clips; the class is the name of the folder."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video", "label"])
        rows.writerows([clip, clip.parent.name] for clip in clips)
    return path


def median(values: Iterable[float]) -> float:
    """Return the median of at least one value."""
    return statistics.median(values)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table with numbers aligned right."""
    rows = [[str(cell) for cell in row] for row in rows]
    rules = []
    for column in range(len(headers)):
        numeric = all(row[column][:1] in "0123456789-–≥≤" for row in rows)
        rules.append("---:" if numeric else "---")
    lines = [headers, rules, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def conditions() -> dict[str, str]:
    """Return processor, supported precisions, cores, memory and versions."""
    from vidclass.runtime.openvino_network import ov

    core = ov.Core()
    packages = {name: _version(name) for name in ("vidclass", "openvino", "keras", "jax", "av")}
    return {
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "cores": str(os.cpu_count()),
        "computes in": ", ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items()),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _version(package: str) -> str:
    if package == "vidclass":
        from vidclass import __version__

        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def print_conditions(facts: Mapping[str, str]) -> None:
    """Print the conditions as a Markdown list."""
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()), end="\n\n")
