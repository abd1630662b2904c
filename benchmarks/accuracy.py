"""Cross-validated accuracy of every head, over several seeds, as a Markdown table.

    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3
    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3 \
        --heads temporal --precision f32,auto,int8
    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3 \
        --heads temporal --variant "" --variant ema=0.9 --variant "loss=focal focal_gamma=1"

Features are extracted once for each precision and stored; every number is over folds that share no
group.  The seeds are the same for every row.  A variant is a list of training settings
(docs/how-to/training.md) separated by spaces.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import vidclass
from vidclass.config import parse_training_settings
from vidclass.heads.registry import heads
from vidclass.runtime.hardware import resolve_precision
from vidclass.training.crossval import cross_validate_seeds


def main() -> None:
    """Print one row for each head, precision and variant."""
    arguments = parse()
    manifest = vidclass.Manifest.from_source(arguments.source)
    print(
        "| head | precision | settings | mean accuracy | over seeds | over folds | macro-F1 "
        "| seconds a fold |"
    )
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for head in arguments.heads:
        for precision in arguments.precision:
            for variant in arguments.variant or [""]:
                print(row(manifest, head, precision, variant, arguments), flush=True)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("source")
    add("--seeds", type=int, default=3)
    add("--heads", type=lambda text: text.split(","), default=list(heads()))
    add("--backbone", default="efficientnet_lite0")
    add(
        "--precision",
        type=lambda text: text.split(","),
        default=["auto"],
        help="list with commas",
    )
    add("--variant", action="append", help="training settings of one row; may be repeated")
    add("--store", type=Path)
    return parser.parse_args()


def row(
    manifest: vidclass.Manifest,
    head: str,
    precision: str,
    variant: str,
    arguments: argparse.Namespace,
) -> str:
    """Return the row of the table: mean accuracy with standard deviations over seeds and folds."""
    started = time.monotonic()
    config = vidclass.run_config(
        head=head,
        features={"backbone": arguments.backbone, "precision": precision},
        training={"seed": 0, **parse_training_settings(variant.split())},
    )
    result = cross_validate_seeds(
        manifest, config, seeds=arguments.seeds, store_folder=arguments.store
    )
    seconds = (time.monotonic() - started) / sum(len(run.folds) for run in result.runs)
    accuracies = ", ".join(f"{run.accuracy_mean:.3f}" for run in result.runs)
    print(f"{head} {precision} {variant or 'defaults'}: {accuracies}", file=sys.stderr)
    resolved = resolve_precision(config.features.precision)
    shown = precision if precision == resolved else f"{precision} ({resolved})"
    macro_f1 = statistics.mean(run.pooled.macro_f1 for run in result.runs)
    return (
        f"| {head} | {shown} | {variant or '–'} | {result.accuracy_mean:.3f} "
        f"| ± {result.std_over_seeds:.3f} | ± {result.std_over_folds:.3f} | {macro_f1:.3f} "
        f"| {seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
