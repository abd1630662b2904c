"""Parity of every backbone's OpenVINO model with Keras, and its speed.

    python benchmarks/backbones.py --out backbones.jsonl [--most-pixels 331] [--again] [NAME...]

Appends one line of JSON per network to the file.  Networks that the file has already are skipped,
so that an interrupted run can continue; with --again they are measured once more.  At the end it
prints a Markdown table with the fastest measurement of each network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from vidclass.backbones import backbone_names, get_backbone
from vidclass.cli.backbones import measure
from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.errors import RuntimeRouteError
from vidclass.features.extractor import backbone_spec
from vidclass.runtime.ir import ensure_ir


def main() -> None:
    """Measure the missing networks, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most-pixels", type=int, default=4096, help="largest side of the input")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    all_names = backbone_names()
    names = arguments.names or sorted(all_names, key=lambda name: get_backbone(name).parameters)
    done = set() if arguments.again else {row["name"] for row in _rows(arguments.out)}
    for name in names:
        backbone = get_backbone(name)
        if backbone.name not in done:
            row = _measure(name, min(arguments.most_pixels, backbone.size))
            print(row, file=sys.stderr, flush=True)
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    print("| name | input | D | parameters | route | parity | ms a frame | note |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    slowest_first = sorted(_rows(arguments.out), key=lambda row: -row["ms"])
    rows = {row["name"]: row for row in slowest_first}
    for name in all_names:
        if name in rows:
            print(_line(rows[name]))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _measure(name: str, size: int) -> dict[str, Any]:
    geometry = GeometryConfig(size=size)
    config = FeatureConfig(backbone=name, weights="random", precision="f32", geometry=geometry)
    started = time.monotonic()
    try:
        parity = ensure_ir(backbone_spec(config)).parity
    except RuntimeRouteError:
        parity = None
    build_s = time.monotonic() - started
    speed = measure(config)
    return {
        "name": name,
        "size": size,
        "route": speed.route,
        "parity": parity,
        "ms": 1000 / speed.frames_per_s,
        "reason": speed.reason,
        "build_s": build_s,
    }


def _line(row: dict[str, Any]) -> str:
    backbone = get_backbone(row["name"])
    smaller = "" if row["size"] == backbone.size else f"measured at {row['size']}"
    parity = "" if row["parity"] is None else f"{row['parity']:.0e}"
    cells = [
        row["name"],
        backbone.size,
        backbone.width,
        f"{backbone.parameters / 1e6:.1f} M",
        row["route"],
        parity,
        f"{row['ms']:.1f}",
        row["reason"] or smaller,
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
