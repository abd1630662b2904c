"""Cross-validated accuracy of every head, over several seeds, as a Markdown table.

    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3
    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3 \
        --heads temporal --precision f32,auto,int8

Features are made once for each precision and stored; every number is over folds that share no
group.  The seeds are the same for every row.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import vidclass
from vidclass.heads.registry import heads
from vidclass.runtime.precision import resolve_precision


def main() -> None:
    """Print one row for each head and precision."""
    arguments = parse()
    manifest = vidclass.Manifest.from_source(arguments.source)
    print("| head | precision | mean accuracy | over seeds | over folds | seconds a fold |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for head in arguments.heads:
        for precision in arguments.precision:
            print(row(manifest, head, precision, arguments), flush=True)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("source")
    add("--seeds", type=int, default=3)
    add("--heads", type=lambda text: text.split(","), default=list(heads()))
    add("--backbone", default="efficientnet_lite0")
    add("--precision", type=lambda text: text.split(","), default=["auto"], help="with commas")
    add("--store", type=Path)
    return parser.parse_args()


def row(
    manifest: vidclass.Manifest, head: str, precision: str, arguments: argparse.Namespace
) -> str:
    """The mean over seeds of the mean over folds, with both spreads."""
    means, spreads, started = [], [], time.monotonic()
    for seed in range(arguments.seeds):
        features = {"backbone": arguments.backbone, "precision": precision}
        config = vidclass.run_config(head=head, features=features, training={"seed": seed})
        result = vidclass.cross_validate(manifest, config, store_folder=arguments.store)
        means.append(result.accuracy_mean)
        spreads.append(result.accuracy_std)
        print(f"{head} {precision} seed {seed}: {result.accuracy_mean:.3f}", file=sys.stderr)
    seconds = (time.monotonic() - started) / (arguments.seeds * len(result.folds))
    really = resolve_precision(config.features.precision)
    shown = precision if precision == really else f"{precision} ({really})"
    return (
        f"| {head} | {shown} | {statistics.mean(means):.3f} | ± {statistics.pstdev(means):.3f} "
        f"| ± {statistics.mean(spreads):.3f} | {seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
