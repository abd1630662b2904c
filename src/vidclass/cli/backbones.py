"""`vidclass backbones`: the pretrained networks, their state on this machine, their speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidclass.cli.options import Json

if TYPE_CHECKING:
    from rich.table import Table

    from vidclass.backbones import Backbone
    from vidclass.config import FeatureConfig
    from vidclass.types import FloatArray, UInt8Array

# How long the speed of a backbone is measured.
SECONDS = 2.0
# Stands for a route that is not determined on this machine yet.
UNKNOWN = "-"


@dataclass(frozen=True)
class Speed:
    """Measured speed of a backbone.

    Attributes:
        weights: The weights in use; they do not change the speed.
        route: `openvino` or `keras`; None if the network cannot run.
        reason: Why not the faster route, or why none; empty for the faster one.
        frames_per_s: Mean over two seconds, with all threads of the network busy; None if it
            cannot run.
    """

    weights: str
    route: str | None
    reason: str
    frames_per_s: float | None


def backbones_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these backbones.  [default: all]"),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure frames per second on this machine.")
    ] = False,
    json_file: Json = None,
) -> None:
    """List the pretrained networks that extract features from frames."""
    from vidclass.backbones import backbone_names, get_backbone
    from vidclass.cli.console import print_notes, show, write_json

    chosen = [get_backbone(name) for name in dict.fromkeys(names or backbone_names())]
    speeds = _measure_all(chosen) if measure else {}
    rows = [_row(backbone, speeds.get(backbone.name)) for backbone in chosen]
    if json_file is not None:
        write_json(json_file, {"schema": 1, "backbones": rows})
    if json_file != "-":
        show(_table(rows, measured=measure))
    print_notes(_notes(rows))


def _measure_all(chosen: list[Backbone]) -> dict[str, Speed]:
    from vidclass.cli.console import progress_bars
    from vidclass.errors import VidclassError

    speeds: dict[str, Speed] = {}
    with progress_bars() as progress:
        for done, backbone in enumerate(chosen):
            progress("measure", done, len(chosen))
            config = speed_config(backbone.name)
            try:
                speeds[backbone.name] = measure(config)
            except VidclassError as error:
                speeds[backbone.name] = Speed(config.weights, None, str(error), None)
        progress("measure", len(chosen), len(chosen))
    return speeds


def _row(backbone: Backbone, speed: Speed | None) -> dict[str, Any]:
    """Return the JSON row of a backbone."""
    return {
        "name": backbone.name,
        "size": backbone.size,
        "window": backbone.window,
        "width": backbone.width,
        "parameters": backbone.parameters,
        "weights": backbone.weights_state,
        "weights_source": backbone.weights_source,
        "licence": backbone.licence,
        "route": speed.route if speed else _known_route(backbone),
        "frames_per_s": speed.frames_per_s if speed else None,
        "measured_with": speed.weights if speed else None,
        "reason": speed.reason if speed else "",
    }


def _known_route(backbone: Backbone) -> str | None:
    from vidclass.features.extractor import backbone_spec
    from vidclass.runtime.ir import cached_route

    return cached_route(backbone_spec(speed_config(backbone.name)))


def _table(rows: list[dict[str, Any]], *, measured: bool) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("name", no_wrap=True)
    for column in ("input", "features", "parameters"):
        table.add_column(column, justify="right")
    # Beside speeds there is no room for licences on a narrow terminal.
    texts = ("weights", "route") if measured else ("weights", "licence", "route")
    for column in texts:
        table.add_column(column)
    if measured:
        table.add_column("frames/s", justify="right")
    for row in rows:
        cells = [
            row["name"],
            _input(row),
            str(row["width"]),
            f"{row['parameters'] / 1e6:.1f} M",
            *(row[column] or UNKNOWN for column in texts),
        ]
        if measured:
            cells.append(f"{row['frames_per_s']:.1f}" if row["frames_per_s"] else UNKNOWN)
        table.add_row(*cells)
    return table


def _input(row: dict[str, Any]) -> str:
    """Return the input shape as text; with the frames of a clip in front, if it takes several."""
    frames = f"{row['window']}x" if row["window"] > 1 else ""
    return f"{frames}{row['size']}x{row['size']}"


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    notes = [
        row["reason"] if row["route"] else f"{row['name']} cannot be measured: {row['reason']}"
        for row in rows
        if row["reason"]
    ]
    if any(row["measured_with"] == "random" for row in rows):
        notes.append("weights that are not at hand were replaced by random ones, which are as fast")
    if any(row["route"] is None and not row["reason"] for row in rows):
        notes.append(
            f"a route of {UNKNOWN} is determined, in seconds to minutes, when the backbone is "
            "first used or measured"
        )
    for state, sources in _missing(rows).items():
        notes.append(f"weights {state}: {', '.join(sources)}")
    return notes


def _missing(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return where missing weights come from, by their state."""
    missing: dict[str, list[str]] = {}
    for row in rows:
        sources = missing.setdefault(row["weights"], [])
        if row["weights"] != "at hand" and row["weights_source"] not in sources:
            sources.append(row["weights_source"])
    return {state: sources for state, sources in missing.items() if sources}


def speed_config(name: str, *, size: int | None = None) -> FeatureConfig:
    """Return settings for a backbone at its own size or another, pretrained if weights are here.

    Raises:
        ConfigError: There is no such backbone.
    """
    from vidclass.backbones import get_backbone
    from vidclass.config import FeatureConfig, GeometryConfig

    backbone = get_backbone(name)
    weights = "pretrained" if backbone.weights_state == "at hand" else "random"
    geometry = GeometryConfig(size=size or backbone.size)
    return FeatureConfig(backbone=name, weights=weights, geometry=geometry)


def measure(config: FeatureConfig) -> Speed:
    """Measure the frames per second of a network on noise, with all its threads busy.

    The first time on a machine it is converted to OpenVINO, which takes seconds to minutes.

    Raises:
        WeightsError: Its weights are missing.
    """
    import numpy as np

    from vidclass._core.parallel import run_each
    from vidclass.backbones import get_backbone
    from vidclass.features.extractor import open_backbone

    opened = open_backbone(config)
    network, side = opened.network, config.geometry.size
    window = get_backbone(config.backbone).window
    rows = max(1, network.batch_frames // window)
    shape = (rows, *([window] if window > 1 else []), side, side, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def run(batch: UInt8Array) -> FloatArray:
        return network.run(frames=batch)

    def batches(seconds: float) -> Iterator[UInt8Array]:
        until = time.monotonic() + seconds
        for _ in range(network.parallel):
            yield frames
        while time.monotonic() < until:
            yield frames

    def count(seconds: float) -> int:
        return sum(1 for _ in run_each(run, batches(seconds), workers=network.parallel))

    count(0)  # the first batches may include a compilation
    begun = time.monotonic()
    done = count(SECONDS)
    frames_per_s = done * len(frames) * window / (time.monotonic() - begun)
    return Speed(config.weights, opened.route, opened.note, round(frames_per_s, 2))
