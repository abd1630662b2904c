"""Training on very many clips: seconds per epoch, clips per second, peak memory.

    python benchmarks/scale.py --clips 200000 --epochs 3 --json scale.json
    python benchmarks/scale.py --clips 9537 --classes 101 --epochs 3

Features are random: noise around a direction for each class.  A process of its own writes them
into a feature store; 20 x 1280 numbers per clip are 51 kB, so 200,000 clips are 10 GB.  Then
`vidclass.train` runs from there, without reading videos: split, head, refit, bundle, test.  Peak
memory is that of this process (Linux's VmHWM), libraries included.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import conditions, print_conditions, table

MOST_MB = 2000
WIDTH = 1280
_APPENDED = 1024  # clips per file: large enough that the store merges none
_SETTINGS = "random"


def main() -> None:
    """Write the store, train, print."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory(dir=options.work) as temp:
        started = time.monotonic()
        writer = multiprocessing.get_context("spawn").Process(
            target=write_store, args=(Path(temp), options.clips, options.frames, options.classes)
        )
        writer.start()
        writer.join()
        written_s = time.monotonic() - started
        result = measure(Path(temp), options)
    result |= {"written_s": written_s, "options": vars(options) | {"json": None, "work": None}}
    if options.json:
        text = json.dumps({"conditions": facts, "measured": result}, indent=1)
        options.json.write_text(text, encoding="utf-8")
    print(table(("what", "measured", "target"), rows(result)))
    print(*result["notes"], sep="\n")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--clips", type=int, default=200_000)
    add("--frames", type=int, default=20)
    add("--classes", type=int, default=20)
    add("--epochs", type=int, default=3)
    add("--head", default="temporal")
    add("--work", type=Path, help="folder of the store, which is removed afterwards")
    add("--json", type=Path, help="write every measurement to this file")
    return parser.parse_args()


def keys_of(clips: int) -> list[str]:
    """Return keys as long as real ones."""
    return [f"{number:064x}" for number in range(clips)]


def open_store(folder: Path) -> Any:
    """Open the store."""
    from vidclass.features.store.store import FeatureStore

    return FeatureStore(folder, settings=_SETTINGS, width=WIDTH, description="{}")


def write_store(folder: Path, clips: int, frames: int, classes: int) -> None:
    """Write random features; clip k is of class k % classes."""
    from vidclass.types import ClipFeatures

    store, keys = open_store(folder), keys_of(clips)
    rng = np.random.default_rng(0)
    centres = rng.random((classes, WIDTH), np.float32)
    times = np.arange(float(frames))
    for start in range(0, clips, _APPENDED):
        numbers = range(start, min(start + _APPENDED, clips))
        values = rng.random((len(numbers), frames, WIDTH), np.float32) * 4
        values += centres[[number % classes for number in numbers]][:, None]
        rows = {
            keys[number]: (f"{number}.avi", ClipFeatures(clip, times))
            for number, clip in zip(numbers, values.astype(np.float16), strict=True)
        }
        store.append(rows)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure `vidclass.train` with the features of every clip stored."""
    import vidclass
    from vidclass.data.rows import Rows
    from vidclass.features.extract import Extraction
    from vidclass.training import views

    videos = [f"/none/{number:07}.avi" for number in range(options.clips)]
    labels = [f"class{number % options.classes:03}" for number in range(options.clips)]
    manifest = vidclass.Manifest(Rows.from_columns({"video": videos, "label": labels}).table)
    store, keys = open_store(folder), keys_of(options.clips)
    marks: list[tuple[str, float]] = []

    def extract_all(manifest: vidclass.Manifest, *_: object, **__: object) -> list[Extraction]:
        marks.append(("start", time.monotonic()))
        store.missing(keys)
        marks.append(("keys", time.monotonic()))
        return [Extraction(manifest, list(keys), store, [], len(keys))]

    def mark(stage: str, done: int, total: int) -> None:
        marks.append((stage, time.monotonic()))

    views.extract_all = extract_all
    config = vidclass.run_config(
        head=options.head,
        features={"frames": options.frames},
        training={"epochs": options.epochs, "seed": 0},
    )
    started = time.monotonic()
    result = vidclass.train(manifest, folder / "run", config, progress=mark)
    ended = time.monotonic()
    return summary(marks, result, started, ended)


def summary(
    marks: list[tuple[str, float]], result: Any, started: float, ended: float
) -> dict[str, Any]:
    """Return the times of the stages, and the peak memory."""
    at = {name: [moment for stage, moment in marks if stage == name] for name, _ in marks}
    epochs = np.diff(at["train"]).tolist()
    return {
        "keys_s": at["keys"][0] - at["start"][0],
        "first_epoch_s": at["train"][0] - at["keys"][0],
        "epoch_s": float(np.median(epochs)) if epochs else None,
        "after_refit_s": ended - (at.get("refit") or at["train"])[-1],
        "total_s": ended - started,
        "sizes": result.sizes,
        "accuracy": result.metrics["test"].accuracy,
        "peak_mb": peak_mb(),
        "notes": result.notes,
    }


def peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def rows(result: dict[str, Any]) -> list[tuple[str, object, str]]:
    """Return the rows of the table."""
    sizes = result["sizes"]
    lines = [
        ("clips to train, validate, test", " / ".join(str(sizes[name]) for name in sizes), "–"),
        ("writing the store, s", f"{result['written_s']:.0f}", "–"),
        ("looking up all keys, s", f"{result['keys_s']:.1f}", "–"),
        ("split, statistics, first epoch, s", f"{result['first_epoch_s']:.1f}", "–"),
    ]
    if result["epoch_s"]:
        clips = sizes["train"] + sizes["validation"]
        lines.append(("an epoch, validation included, s", f"{result['epoch_s']:.1f}", "–"))
        lines.append(("clips a second", f"{clips / result['epoch_s']:.0f}", "–"))
    return [
        *lines,
        ("bundle and test, s", f"{result['after_refit_s']:.1f}", "–"),
        ("all of `train`, s", f"{result['total_s']:.0f}", "–"),
        ("test accuracy", f"{result['accuracy']:.3f}", "–"),
        ("peak MB", f"{result['peak_mb']:.0f}", f"≤ {MOST_MB}"),
    ]


if __name__ == "__main__":
    main()
