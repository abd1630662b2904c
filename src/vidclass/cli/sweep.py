"""`vidclass sweep`: accuracy against cost over many settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidclass.cli.options import (
    Epochs,
    ExecutionFlags,
    Folds,
    GroupingOptions,
    Json,
    Seed,
    SourceOptions,
    Weights,
    without_none,
)

if TYPE_CHECKING:
    from vidclass.sweeping.config import SweepSpace


def _axis(name: str, help: str) -> Any:
    return typer.Option(name, metavar="A,B,...", help=help)


def sweep_command(
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the sweep; the same again continues it.", show_default=False
        ),
    ],
    *,
    backbone: Annotated[
        str | None,
        _axis(
            "--backbones", "Backbones to try.  [default: the light ones whose weights are at hand]"
        ),
    ] = None,
    frames: Annotated[str | None, _axis("--frames", "Frames per clip.  [default: 8,16,32]")] = None,
    size: Annotated[
        str | None,
        _axis("--size", "Sides of the input in pixels; own is the backbone's.  [default: own]"),
    ] = None,
    head: Annotated[
        str | None, _axis("--heads", "Heads to try.  [default: mean,temporal,gru]")
    ] = None,
    sampling: Annotated[
        str | None,
        _axis("--sampling", "Which frames: uniform, first, random, stride.  [default: uniform]"),
    ] = None,
    crop: Annotated[
        str | None, _axis("--crop", "Part of the frame: centre, whole.  [default: centre]")
    ] = None,
    precision: Annotated[
        str | None, _axis("--precision", "Number formats: auto, f32, bf16, int8.  [default: auto]")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Combinations to try, those of earlier calls included.")
    ] = 30,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout-s", help="Seconds after which no further trial begins."),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="Order of trials: grid, random, tpe (the most promising next), auto (grid if "
            "--trials are enough for all, else tpe)."
        ),
    ] = "auto",
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune",
            help="Stop a trial early that is clearly worse than one that costs no more.",
        ),
    ] = True,
    remeasure: Annotated[
        bool,
        typer.Option("--remeasure", help="Measure the cost of every row again, on this machine."),
    ] = False,
    folds: Folds = 5,
    epochs: Epochs = None,
    weights: Weights = None,
    grouping: GroupingOptions,
    seed: Seed = 0,
    json_file: Json = None,
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Try many settings on the same folds: accuracy against cost, and a command line for each."""
    from vidclass.cli.console import progress_bars, stopping, write_json
    from vidclass.cli.sweep_tables import report_sweep
    from vidclass.sweeping.config import SweepConfig
    from vidclass.sweeping.record import LEDGER, as_json
    from vidclass.sweeping.run import sweep

    space = _space(
        backbone=backbone,
        frames=frames,
        size=size,
        head=head,
        sampling=sampling,
        crop=crop,
        precision=precision,
    )
    config = SweepConfig.checked(
        trials=trials,
        sampler=sampler,
        prune=prune,
        remeasure=remeasure,
        folds=folds,
        seed=seed,
        command=train_prefix(source, execution.store_folder),
        **grouping.keywords(),
        **without_none(timeout_s=timeout_s, epochs=epochs, weights=weights),
    )
    manifest = source.manifest(**grouping.keywords())
    with stopping(out / LEDGER), progress_bars() as progress:
        result = sweep(manifest, out, space, config, **execution.keywords(progress))
    if json_file is not None:
        write_json(json_file, as_json(result))
    report_sweep(result, quiet=json_file == "-")


def _space(**axes: str | None) -> SweepSpace:
    from vidclass.sweeping.config import SweepSpace

    return SweepSpace.checked(
        **{name: split_list(text) for name, text in axes.items() if text is not None}
    )


def split_list(text: str) -> list[str]:
    """Split at commas, except inside brackets.

    >>> split_list("mean,gru(units=32, dropout=0.2)")
    ['mean', 'gru(units=32, dropout=0.2)']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def train_prefix(source: SourceOptions, store_folder: Path | None) -> tuple[str, ...]:
    """Return the beginning of a `vidclass train` command that reads the same source."""
    words = ["vidclass", "train", source.path]
    for name, value in (source.given() | without_none(store=store_folder)).items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return tuple(words)
