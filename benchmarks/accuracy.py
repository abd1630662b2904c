"""Cross-validated accuracy of every head, over several seeds, as a Markdown table.

    python benchmarks/accuracy.py ../shared/data/ucf11_9class/groups.csv --seeds 3

Features are made once and stored; every number is over folds that share no group.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import vidclass
from vidclass.heads.registry import heads


def main() -> None:
    """Print one row a head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--store", type=Path)
    arguments = parser.parse_args()
    manifest = vidclass.Manifest.from_source(arguments.source)
    print("| head | mean accuracy | over seeds | over folds | seconds a fold |")
    print("| --- | --- | --- | --- | --- |")
    for head in heads():
        means, spreads, started = [], [], time.monotonic()
        for seed in range(arguments.seeds):
            config = vidclass.run_config(
                head=head, features={"backbone": arguments.backbone}, training={"seed": seed}
            )
            result = vidclass.cross_validate(manifest, config, store_folder=arguments.store)
            means.append(result.accuracy_mean)
            spreads.append(result.accuracy_std)
            print(f"{head} seed {seed}: {result.accuracy_mean:.3f}", file=sys.stderr)
        seconds = (time.monotonic() - started) / (arguments.seeds * len(result.folds))
        spread = statistics.pstdev(means)
        print(
            f"| {head} | {statistics.mean(means):.3f} | ± {spread:.3f} "
            f"| ± {statistics.mean(spreads):.3f} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
