"""Seconds per step and peak memory of fine-tuning, for several settings, each in a new process.

    python benchmarks/finetune.py --json finetune.json

A step updates the weights once, from `--batch` clips of noise, without decoding or validation.
The figures are the fastest of `--steps` steps after the first one, which compiles, and the peak
memory of the process, libraries included.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ChildError, conditions, print_conditions, run_child, table

# Unfrozen blocks, micro-batch, recomputation of activations.
VARIANTS = (("4", 1, False), ("4", 4, False), ("4", 4, True), ("all", 1, False), ("all", 2, True))


def main() -> None:
    """Measure and print tables."""
    options = parse()
    if options.child:
        print(json.dumps(step(options)))
        return
    print_conditions(facts := conditions())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temp:
        for unfreeze, micro, remat in VARIANTS:
            row = {"unfreeze": unfreeze, "micro": micro, "remat": remat}
            command = [sys.executable, __file__, "--child", "--backbone", options.backbone]
            command += ["--weights", options.weights, "--unfreeze", unfreeze, "--micro", micro]
            command += ["--batch", options.batch, "--frames", options.frames]
            command += ["--steps", options.steps, *(["--remat"] if remat else [])]
            try:
                output = run_child(command, log=Path(temp) / "log")
                row |= json.loads(output.splitlines()[-1])
            except ChildError as error:
                row["failed"] = str(error)
            rows.append(row)
            if options.json:
                value = {"conditions": facts, "measured": rows}
                options.json.write_text(json.dumps(value, indent=1), encoding="utf-8")
    print(result_table(rows))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--backbone", default="efficientnet_lite0")
    add("--weights", default="pretrained")
    add("--frames", type=int, default=8)
    add("--batch", type=int, default=4, help="clips per step")
    add("--steps", type=int, default=3, help="number of timed steps")
    add("--json", type=Path, help="write every measurement to this file")
    for name in ("--child", "--remat"):
        add(name, action="store_true", help=argparse.SUPPRESS)
    add("--unfreeze", default="4", help=argparse.SUPPRESS)
    add("--micro", type=int, default=4, help=argparse.SUPPRESS)
    return parser.parse_args()


def step(options: argparse.Namespace) -> dict[str, float]:
    """Measure one setting in this process."""
    from vidclass.backbones import get_backbone
    from vidclass.config import FeatureConfig, FinetuneConfig, GeometryConfig, SamplingConfig
    from vidclass.finetuning.build import build_network, compile_joint
    from vidclass.finetuning.model import join, leaves, quick_twin, unfreeze
    from vidclass.heads.registry import build_head

    config = FinetuneConfig.checked(
        unfreeze=options.unfreeze,
        remat=options.remat,
        batch_size=options.batch,
        micro_batch=options.micro,
    )
    size = get_backbone(options.backbone).size
    features = FeatureConfig(
        backbone=options.backbone,
        weights=options.weights,
        sampling=SamplingConfig(frames=options.frames),
        geometry=GeometryConfig(size=size),
    )
    network = quick_twin(build_network(features, config))
    trained = unfreeze(leaves(network), config.unfreeze)
    head = build_head("temporal", options.frames, network.output_shape[-1], 9)
    model = join(network, head, frames=options.frames, remat=options.remat)
    micro = -(-options.batch // options.micro)
    compile_joint(model, trained, config, micro=micro)
    rng = np.random.default_rng(0)
    shape = (options.micro, options.frames, size, size, 3)
    inputs = {
        "frames": rng.integers(0, 256, shape, dtype=np.uint8),
        "mask": np.ones(shape[:2], np.bool_),
    }
    targets = np.eye(9, dtype=np.float32)[rng.integers(0, 9, options.micro)]
    seconds = []
    for _ in range(1 + options.steps):
        started = time.perf_counter()
        for _ in range(micro):
            model.train_on_batch(inputs, targets, return_dict=True)
        seconds.append(time.perf_counter() - started)
    # KiB under Linux.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first_s": seconds[0], "step_s": min(seconds[1:]), "peak_mb": peak_mb}


def result_table(rows: list[dict[str, Any]]) -> str:
    """Return a table with one row per setting."""
    cells = []
    for row in rows:
        setting = (row["unfreeze"], row["micro"], "yes" if row["remat"] else "no")
        if "failed" in row:
            cells.append((*setting, "–", "–", f"failed: {row['failed']}"))
            continue
        numbers = f"{row['step_s']:.1f}", f"{row['first_s']:.0f}"
        cells.append((*setting, *numbers, f"{row['peak_mb']:.0f}"))
    headers = ("unfrozen", "clips at a time", "remat", "s a step", "s, the first", "peak MB")
    return table(headers, cells)


if __name__ == "__main__":
    main()
