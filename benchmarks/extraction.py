"""Time from clips to features: vidclass, the Keras example's loop, an optimised PyTorch pipeline.

    bash benchmarks/environments.sh
    python benchmarks/extraction.py --json extraction.json

Every measurement is a process of its own that warms up before it is timed and runs alone.  Each
round measures every variant once, and each figure is the median over the rounds.  All variants of
a run use the same frames of a clip.  Prints Markdown: times, ratios with their targets, and cosines
between features.  Clips are generated if the real ones beside the repository are missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extraction_tables import Results, Subject, cosine_table, ratio_table, times_table
from measuring import (
    HERE,
    REAL_CLIPS,
    ChildError,
    conditions,
    find_clips,
    print_conditions,
    run_variant,
    run_vidclass,
    spread,
    write_table,
)

LITE0, INCEPTION = "efficientnet_lite0", "InceptionV3"
SIZE = 224


@dataclass(frozen=True)
class Setup:
    """Options, folder of all files, and the table of clips of each library."""

    options: argparse.Namespace
    work: Path
    tables: dict[str, Path]


def main() -> None:
    """Measure and print tables."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        setup = prepare(options, Path(temp))
        plan = subjects(options)
        results = Results(cores=int(facts["cores"]), features=setup.work / "features")
        warm_caches(plan, setup)
        for repeat in range(options.repeats):
            for subject in plan:
                measure_once(subject, setup, results, repeat)
            if options.json:
                save(options.json, facts, options, results)
        print(f"Sampling `{options.sampling}`, {options.frames} frames, median of rounds:\n")
        print(times_table(results), ratio_table(results), cosine_table(results), sep="\n\n")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=Path, default=REAL_CLIPS, help="folder of classes")
    add("--clips", type=int, default=32, help="clips for vidclass")
    add("--clips-torch", type=int, default=16, help="of those, clips for PyTorch")
    add("--clips-example", type=int, default=8, help="of those, clips for the example")
    add("--repeats", type=int, default=3)
    add("--sampling", choices=("first", "uniform"), default="first")
    add("--frames", type=int, default=20)
    add("--backbones", type=words, default=[INCEPTION, LITE0])
    add("--precisions", type=words, default=["auto", "f32", "bf16", "int8"])
    add("--torch-precisions", type=words, default=["f32", "f32-frozen", "bf16"])
    add("--inception-weights", default="random", help="pretrained, random or a Keras weights file")
    add("--python-tensorflow", default=HERE / ".venv-tensorflow/bin/python")
    add("--python-torch", default=HERE / ".venv-torch/bin/python")
    add("--python-jax", default=sys.executable)
    add("--only", type=words, help="measure only variants with one of these words in their names")
    add("--json", type=Path, help="write every measurement to this file")
    return parser.parse_args()


def words(text: str) -> list[str]:
    """Split a list at its commas."""
    return text.split(",")


def prepare(options: argparse.Namespace, work: Path) -> Setup:
    """Choose the clips; shorter lists are subsets of longer ones."""
    (work / "features").mkdir()
    (work / "logs").mkdir()
    clips = find_clips(options.source, options.clips, work / "clips")
    torch_clips = spread(clips, options.clips_torch)
    lists = {
        "vidclass": clips,
        "PyTorch": torch_clips,
        "example": spread(torch_clips, options.clips_example),
    }
    tables = {name: write_table(work / f"{name}.csv", clips) for name, clips in lists.items()}
    return Setup(options, work, tables)


def subjects(options: argparse.Namespace) -> list[Subject]:
    """Return the variants to measure, in the order of a round."""
    plan = []
    if options.sampling == "first" and INCEPTION in options.backbones:
        plan += [Subject("example", "loop", INCEPTION, name) for name in ("TensorFlow", "JAX")]
    for backbone in options.backbones:
        for part in ("pipeline", "network"):
            plan += [Subject("PyTorch", part, backbone, p) for p in options.torch_precisions]
        for part in ("extract", "command", "network"):
            plan += [Subject("vidclass", part, backbone, p) for p in options.precisions]
    plan.append(Subject("vidclass", "decode", LITE0, "f32"))
    selected = options.only or [""]
    return [subject for subject in plan if any(word in subject.name for word in selected)]


def warm_caches(plan: list[Subject], setup: Setup) -> None:
    """Let vidclass build, calibrate and compile each network, as a user's first run does."""
    for subject in dict.fromkeys(
        Subject("vidclass", "command", s.backbone, s.precision)
        for s in plan
        if s.library == "vidclass"
    ):
        print(f"warmed up: {subject.name}", file=sys.stderr)
        try:
            measure(subject, setup, log=setup.work / "logs" / "warm.log")
        except ChildError as error:
            print(f"  failed: {error}", file=sys.stderr)


def measure_once(subject: Subject, setup: Setup, results: Results, repeat: int) -> None:
    """Measure a variant once; one that failed is not run again."""
    if subject in results.failures:
        return
    log = setup.work / "logs" / f"{subject.file}.log"
    save_features = repeat == 0 and subject.has_features
    more = ["--features", results.features / f"{subject.file}.npz"] if save_features else []
    try:
        result = measure(subject, setup, *more, log=log)
    except (ChildError, OSError) as error:
        results.failures[subject] = str(error)
        print(f"{subject.name}: failed: {error}", file=sys.stderr)
        return
    results.repeats.setdefault(subject, []).append(result)
    per_clip = 1e3 * result["seconds"] / result["clips"]
    print(f"round {repeat + 1}: {subject.name}: {per_clip:.0f} ms a clip", file=sys.stderr)


def measure(subject: Subject, setup: Setup, *more: object, log: Path) -> dict[str, Any]:
    """Run one timed process and return its measurements.

    Raises:
        ChildError: It failed.
        OSError: Its Python is missing.
    """
    options, table = setup.options, setup.tables[subject.library]
    shared = ["--clips", table, "--frames", options.frames]
    if subject.library == "example":
        python = options.python_jax if subject.precision == "JAX" else options.python_tensorflow
        environment = {"KERAS_BACKEND": subject.precision.lower(), "TF_CPP_MIN_LOG_LEVEL": "3"}
        return run_variant(
            "example.py", *shared, python=str(python), log=log, environment=environment
        )
    settings = ["--backbone", subject.backbone, "--precision", subject.precision]
    settings += ["--sampling", options.sampling]
    if subject.library == "PyTorch":
        python, part = str(options.python_torch), ["--part", subject.part, *more]
        return run_variant("torch_pipeline.py", *shared, *settings, *part, python=python, log=log)
    # The backbone's default size may differ: that of InceptionV3 is 299.
    weights = options.inception_weights if subject.backbone == INCEPTION else "pretrained"
    settings += ["--weights", weights, "--size", SIZE]
    if subject.part == "command":
        return extract_command(table, *settings, "--frames", options.frames, log=log)
    settings += ["--part", subject.part, *more]
    return run_variant("vidclass_pipeline.py", *shared, *settings, python=sys.executable, log=log)


def extract_command(clips: Path, *settings: object, log: Path) -> dict[str, Any]:
    """Measure `vidclass extract` into an empty store, from start to end of the process."""
    with tempfile.TemporaryDirectory() as store:
        result = run_vidclass("extract", clips, *settings, "--store", store, log=log)
    count = len(clips.read_text(encoding="utf-8").splitlines()) - 1
    return result | {"clips": count}


def save(path: Path, facts: dict[str, str], options: argparse.Namespace, results: Results) -> None:
    """Write every measurement as JSON."""
    value = {
        "conditions": facts,
        "options": {name: str(option) for name, option in vars(options).items()},
        "measured": {subject.name: repeats for subject, repeats in results.repeats.items()},
        "failed": {subject.name: error for subject, error in results.failures.items()},
    }
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
