"""Seconds that commands take from a shell: help, a first prediction, training on stored features.

    python benchmarks/startup.py --json startup.json

Each figure is the median of new processes, from start to end.  `predict, nothing cached` has an
empty cache folder, as on a machine that has just received its bundle; `predict` is the same command
again.  Each process reports the libraries it imported when it ends.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import (
    REAL_CLIPS,
    conditions,
    find_clips,
    median,
    print_conditions,
    run_vidclass,
    table,
    write_table,
)

# Upper limits in seconds.
TARGETS = {"predict": 1.5, "train, features stored": 15.0}
# Libraries that a command must not import.
UNLOADED = {
    "help": ("keras", "jax", "openvino", "av", "lance"),
    "predict": ("keras", "jax"),
    "predict, nothing cached": ("keras", "jax"),
}

Run = dict[str, Any]


def main() -> None:
    """Measure and print tables."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        work = Path(temp)
        source, clip = labelled_clips(options, work)
        runs: dict[str, list[Run]] = {}
        bundle = training(source, options, work, runs)
        predicting(bundle, clip, options, work, runs)
        runs["help"] = [run_vidclass("--help", log=work / "help.log") for _ in range(options.runs)]
    if options.json:
        value = {"conditions": facts, "measured": runs}
        options.json.write_text(json.dumps(value, indent=1), encoding="utf-8")
    print(table(("command", "seconds", "least – most", "runs", "target", "met"), times(runs)))
    print()
    print(table(("command", "must not load", "loads", "met"), imports(runs)))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=Path, default=REAL_CLIPS / "groups.csv", help="labelled clips to train on")
    add("--clips", type=int, default=40, help="number of clips to generate if there is no source")
    add("--runs", type=int, default=10, help="runs of help and of each kind of predict")
    add("--train-runs", type=int, default=3)
    add("--train-option", action="append", default=[], help="for `train`: --precision=int8, ...")
    add("--json", type=Path, help="write every measurement to this file")
    return parser.parse_args()


def labelled_clips(options: argparse.Namespace, work: Path) -> tuple[Path, Path]:
    """Return the source to train on, and one clip (an AVI) to predict."""
    if options.source.exists():
        return options.source, find_clips(options.source.parent, 1, work / "clips")[0]
    clips = find_clips(options.source.parent, options.clips, work / "clips")
    return write_table(work / "clips.csv", clips), clips[0]


def training(
    source: Path, options: argparse.Namespace, work: Path, runs: dict[str, list[Run]]
) -> Path:
    """Train into new run folders: once with an empty store, then with the stored features."""
    store = ("--store", work / "store", *options.train_option)

    def train(number: int) -> Run:
        out = work / f"run{number}"
        run = run_vidclass("train", source, "--out", out, *store, log=work / "train.log")
        print(f"train: {run['seconds']:.1f} s", file=sys.stderr)
        return run

    runs["train, nothing stored"] = [train(0)]
    runs["train, features stored"] = [train(number + 1) for number in range(options.train_runs)]
    return work / "run0" / "model.vidclass"


def predicting(
    bundle: Path, clip: Path, options: argparse.Namespace, work: Path, runs: dict[str, list[Run]]
) -> None:
    """Predict one clip with a bundle copied away from its run folder and from any cache."""
    alone, cache = work / "alone" / bundle.name, work / "cache"
    alone.parent.mkdir()
    shutil.copy(bundle, alone)
    runs["predict, nothing cached"], runs["predict"] = [], []

    def predict() -> Run:
        log = work / "predict.log"
        return run_vidclass("predict", alone, clip, log=log, VIDCLASS_CACHE=str(cache))

    predict()  # fills the page cache
    for _ in range(options.runs):
        shutil.rmtree(cache, ignore_errors=True)
        runs["predict, nothing cached"].append(predict())
        runs["predict"].append(predict())


def times(runs: dict[str, list[Run]]) -> Iterator[Sequence[object]]:
    """Yield a row for each command."""
    for name, several in runs.items():
        seconds = [run["seconds"] for run in several]
        target = TARGETS.get(name)
        met = "" if target is None else "yes" if median(seconds) <= target else "no"
        span = f"{min(seconds):.2f} – {max(seconds):.2f}"
        limit = f"≤ {target}" if target else "–"
        yield name, f"{median(seconds):.2f}", span, len(several), limit, met


def imports(runs: dict[str, list[Run]]) -> Iterator[Sequence[object]]:
    """Yield a row for each command that must not import some libraries."""
    for name, unwanted in UNLOADED.items():
        loaded = sorted({library for run in runs[name] for library in run["loaded"]})
        met = "no" if set(loaded) & set(unwanted) else "yes"
        yield name, ", ".join(unwanted), ", ".join(loaded) or "none of them", met


if __name__ == "__main__":
    main()
