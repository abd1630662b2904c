"""Time from clips to features: vidclass, the Keras example's loop, a careful PyTorch pipeline.

    bash benchmarks/environments.sh
    python benchmarks/extraction.py --json extraction.json

Every measurement is a process of its own that warms up before it is timed and runs alone.  The
variants take turns, and each figure is the median over the turns.  All variants of a run use the
same frames of a clip.  Prints Markdown: times, ratios with their targets, and how close features
are.  Without the real clips beside the repository, clips are made.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extraction_tables import Results, Subject, closeness_table, ratio_table, times_table
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
    """The options, a folder for everything that is written, and a table of clips for each."""

    options: argparse.Namespace
    work: Path
    tables: dict[str, Path]


def main() -> None:
    """Measure, then print."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        setup = prepare(options, Path(temp))
        plan = subjects(options)
        results = Results(cores=int(facts["cores"]), features=setup.work / "features")
        warm_caches(plan, setup)
        for turn in range(options.repeats):
            for subject in plan:
                take(subject, setup, results, turn)
            if options.json:
                save(options.json, facts, options, results)
        print(f"Sampling `{options.sampling}`, {options.frames} frames, median of turns:\n")
        print(times_table(results), ratio_table(results), closeness_table(results), sep="\n\n")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=Path, default=REAL_CLIPS, help="a folder of classes")
    add("--clips", type=int, default=32, help="clips for vidclass")
    add("--clips-torch", type=int, default=16, help="of those, clips for PyTorch")
    add("--clips-example", type=int, default=8, help="of those, clips for the example")
    add("--repeats", type=int, default=3)
    add("--sampling", choices=("head", "uniform"), default="head")
    add("--frames", type=int, default=20)
    add("--backbones", type=words, default=[INCEPTION, LITE0])
    add("--precisions", type=words, default=["auto", "f32", "bf16", "int8"])
    add("--torch-precisions", type=words, default=["f32", "f32-frozen", "bf16"])
    add("--inception-weights", default="random", help="pretrained, random or a Keras weights file")
    add("--python-tensorflow", default=HERE / ".venv-tensorflow/bin/python")
    add("--python-torch", default=HERE / ".venv-torch/bin/python")
    add("--python-jax", default=sys.executable)
    add("--only", type=words, help="words, one of which a variant's name must have")
    add("--json", type=Path, help="every single measurement")
    return parser.parse_args()


def words(text: str) -> list[str]:
    """The parts of a list with commas."""
    return text.split(",")


def prepare(options: argparse.Namespace, work: Path) -> Setup:
    """Choose the clips: the shorter lists are parts of the longer ones."""
    (work / "features").mkdir()
    (work / "logs").mkdir()
    clips = find_clips(options.source, options.clips, work / "clips")
    torch_clips = spread(clips, options.clips_torch)
    lists = {
        "vidclass": clips,
        "PyTorch": torch_clips,
        "example": spread(torch_clips, options.clips_example),
    }
    tables = {who: write_table(work / f"{who}.csv", chosen) for who, chosen in lists.items()}
    return Setup(options, work, tables)


def subjects(options: argparse.Namespace) -> list[Subject]:
    """What is measured, in the order of a turn."""
    plan = []
    if options.sampling == "head" and INCEPTION in options.backbones:
        plan += [Subject("example", "loop", INCEPTION, name) for name in ("TensorFlow", "JAX")]
    for backbone in options.backbones:
        for part in ("pipeline", "network"):
            plan += [Subject("PyTorch", part, backbone, p) for p in options.torch_precisions]
        for part in ("extract", "command", "network"):
            plan += [Subject("vidclass", part, backbone, p) for p in options.precisions]
    plan.append(Subject("vidclass", "decode", LITE0, "f32"))
    wanted = options.only or [""]
    return [subject for subject in plan if any(word in subject.name for word in wanted)]


def warm_caches(plan: list[Subject], setup: Setup) -> None:
    """Let vidclass build, calibrate and compile each network once, as a user's first run does."""
    for subject in dict.fromkeys(
        Subject("vidclass", "command", s.backbone, s.precision) for s in plan if s.who == "vidclass"
    ):
        print(f"ready: {subject.name}", file=sys.stderr)
        try:
            measure(subject, setup, log=setup.work / "logs" / "ready.log")
        except ChildError as error:
            print(f"  failed: {error}", file=sys.stderr)


def take(subject: Subject, setup: Setup, results: Results, turn: int) -> None:
    """Measure once; a variant that failed is not tried again."""
    if subject in results.failures:
        return
    log = setup.work / "logs" / f"{subject.file}.log"
    keep = turn == 0 and subject.makes_features
    kept = ["--features", results.features / f"{subject.file}.npz"] if keep else []
    try:
        result = measure(subject, setup, *kept, log=log)
    except (ChildError, OSError) as error:
        results.failures[subject] = str(error)
        print(f"{subject.name}: failed: {error}", file=sys.stderr)
        return
    results.repeats.setdefault(subject, []).append(result)
    per_clip = 1e3 * result["seconds"] / result["clips"]
    print(f"turn {turn + 1}: {subject.name}: {per_clip:.0f} ms a clip", file=sys.stderr)


def measure(subject: Subject, setup: Setup, *more: object, log: Path) -> dict[str, Any]:
    """One timed process.

    Raises:
        ChildError: it failed.
        OSError: its Python is not there.
    """
    options, table = setup.options, setup.tables[subject.who]
    shared = ["--clips", table, "--frames", options.frames]
    if subject.who == "example":
        python = options.python_jax if subject.precision == "JAX" else options.python_tensorflow
        environment = {"KERAS_BACKEND": subject.precision.lower(), "TF_CPP_MIN_LOG_LEVEL": "3"}
        return run_variant(
            "example.py", *shared, python=str(python), log=log, environment=environment
        )
    chosen = ["--backbone", subject.backbone, "--precision", subject.precision]
    chosen += ["--sampling", options.sampling]
    if subject.who == "PyTorch":
        python, chosen = str(options.python_torch), [*chosen, "--part", subject.part, *more]
        return run_variant("torch_pipeline.py", *shared, *chosen, python=python, log=log)
    # A backbone's own size may be another one: InceptionV3's is 299.
    weights = options.inception_weights if subject.backbone == INCEPTION else "pretrained"
    chosen += ["--weights", weights, "--size", SIZE]
    if subject.part == "command":
        return extract_command(table, *chosen, "--frames", options.frames, log=log)
    chosen += ["--part", subject.part, *more]
    return run_variant("ours.py", *shared, *chosen, python=sys.executable, log=log)


def extract_command(clips: Path, *chosen: object, log: Path) -> dict[str, Any]:
    """`vidclass extract` into an empty store, from the start of the process to its end."""
    with tempfile.TemporaryDirectory() as store:
        result = run_vidclass("extract", clips, *chosen, "--store", store, log=log)
    count = len(clips.read_text(encoding="utf-8").splitlines()) - 1
    return result | {"clips": count}


def save(path: Path, facts: dict[str, str], options: argparse.Namespace, results: Results) -> None:
    """Every single measurement, as JSON."""
    value = {
        "conditions": facts,
        "options": {name: str(option) for name, option in vars(options).items()},
        "measured": {subject.name: many for subject, many in results.repeats.items()},
        "failed": {subject.name: why for subject, why in results.failures.items()},
    }
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
