"""Options that say what features are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from vidclass.cli.option_groups import OptionGroup
from vidclass.cli.options import Weights, chosen


@dataclass(frozen=True)
class FeatureOptions(OptionGroup):
    """The features of a recipe, changed; the names are those of `run_config(features=...)`."""

    backbone: Annotated[
        str | None,
        typer.Option("--backbone", help="Pretrained network (see `vidclass backbones`)."),
    ] = None
    frames: Annotated[int | None, typer.Option(min=1, help="Frames a clip.  [default: 20]")] = None
    policy: Annotated[
        str | None,
        typer.Option(
            "--sampling",
            help="Which frames: uniform (over the whole clip), random (one of each equal part, "
            "always the same of a clip), head (the first ones), stride.",
        ),
    ] = None
    stride_s: Annotated[
        float | None,
        typer.Option("--stride-s", help="Seconds between frames for --sampling stride."),
    ] = None
    views: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Interleaved sets of --frames frames, for uniform and random sampling; the head "
            "sees them all.  [default: 1]",
        ),
    ] = None
    crop: Annotated[str | None, typer.Option(help="centre (square) or whole (squeezed frame).")] = (
        None
    )
    size: Annotated[
        int | None, typer.Option(help="Side of the input in pixels.  [default: the backbone's own]")
    ] = None
    short_side: Annotated[
        int | None,
        typer.Option(
            help="Scale frames so that their shorter side has so many pixels, then cut --size of "
            "them out of the centre.  [default: as --size]"
        ),
    ] = None
    weights: Weights = None
    precision: Annotated[
        str | None,
        typer.Option(
            help="Numbers the backbone computes in: f32, bf16, int8 (quickest, calibrated on your "
            "clips), or auto (bf16 where the processor has it, else f32).  [default: auto]"
        ),
    ] = None

    def chosen(self) -> dict[str, object]:
        """The options that were given."""
        return chosen(**vars(self))
