"""Training on very many clips: seconds an epoch, clips a second, peak memory.

    python benchmarks/scale.py --clips 200000 --epochs 3 --json scale.json
    python benchmarks/scale.py --clips 9537 --classes 101 --epochs 3

Features are made up: noise around a direction for each class.  They are written into a feature
store by a process of its own; 20 x 1280 numbers a clip are 51 kB, so 200,000 clips are 10 GB.
Then `vidclass.train` runs from there, all but the reading of videos: split, head, refit, bundle,
test.  Peak memory is the most that this process ever held (Linux's VmHWM), libraries included.
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
_APPENDED = 1024  # files that the store has no need to join
_SETTINGS = "made-up"


def main() -> None:
    """Write, train, print."""
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
        found = measure(Path(temp), options)
    found |= {"written_s": written_s, "options": vars(options) | {"json": None, "work": None}}
    if options.json:
        text = json.dumps({"conditions": facts, "measured": found}, indent=1)
        options.json.write_text(text, encoding="utf-8")
    print(table(("what", "measured", "target"), rows(found)))
    print(*found["notes"], sep="\n")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--clips", type=int, default=200_000)
    add("--frames", type=int, default=20)
    add("--classes", type=int, default=20)
    add("--epochs", type=int, default=3)
    add("--head", default="temporal")
    add("--work", type=Path, help="where the store is written; it is removed afterwards")
    add("--json", type=Path, help="every single measurement")
    return parser.parse_args()


def keys_of(clips: int) -> list[str]:
    """Keys as long as real ones."""
    return [f"{number:064x}" for number in range(clips)]


def open_store(folder: Path) -> Any:
    """The store that is written and read."""
    from vidclass.features.store.store import FeatureStore

    return FeatureStore(folder, settings=_SETTINGS, width=WIDTH, description="{}")


def write_store(folder: Path, clips: int, frames: int, classes: int) -> None:
    """Clips in an order without meaning; clip k is of class k % classes."""
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
    """What `vidclass.train` takes when every clip's features are stored."""
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

    def tell(stage: str, done: int, total: int) -> None:
        marks.append((stage, time.monotonic()))

    views.extract_all = extract_all
    config = vidclass.run_config(
        head=options.head,
        features={"frames": options.frames},
        training={"epochs": options.epochs, "seed": 0},
    )
    started = time.monotonic()
    result = vidclass.train(manifest, folder / "run", config, progress=tell)
    ended = time.monotonic()
    return summary(marks, result, started, ended)


def summary(
    marks: list[tuple[str, float]], result: Any, started: float, ended: float
) -> dict[str, Any]:
    """The times of the stages, and the memory."""
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
    """The most memory that this process ever held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def rows(found: dict[str, Any]) -> list[tuple[str, object, str]]:
    """What is shown."""
    sizes = found["sizes"]
    made = [
        ("clips to train, validate, test", " / ".join(str(sizes[name]) for name in sizes), "–"),
        ("writing the store, s", f"{found['written_s']:.0f}", "–"),
        ("looking up all keys, s", f"{found['keys_s']:.1f}", "–"),
        ("split, statistics, first epoch, s", f"{found['first_epoch_s']:.1f}", "–"),
    ]
    if found["epoch_s"]:
        seen = sizes["train"] + sizes["validation"]
        made.append(("an epoch, validation included, s", f"{found['epoch_s']:.1f}", "–"))
        made.append(("clips a second", f"{seen / found['epoch_s']:.0f}", "–"))
    return [
        *made,
        ("bundle and test, s", f"{found['after_refit_s']:.1f}", "–"),
        ("all of `train`, s", f"{found['total_s']:.0f}", "–"),
        ("test accuracy", f"{found['accuracy']:.3f}", "–"),
        ("peak MB", f"{found['peak_mb']:.0f}", f"≤ {MOST_MB}"),
    ]


if __name__ == "__main__":
    main()
