"""`vidclass sweep`: accuracy against cost over many settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidclass.cli.options import (
    GroupPattern,
    Groups,
    Json,
    RetryFailed,
    Seed,
    Store,
    Strict,
    Weights,
    chosen,
)
from vidclass.cli.source_options import Source, takes_source

if TYPE_CHECKING:
    from vidclass.sweeping.config import SweepSpace


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep")(takes_source(sweep_command))


def _axis(name: str, help: str) -> Any:
    return typer.Option(name, metavar="A,B,...", help=help)


def sweep_command(
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the sweep; the same again continues it.", show_default=False
        ),
    ],
    backbones: Annotated[
        str | None,
        _axis("--backbones", "Backbones.  [default: the light ones whose weights are at hand]"),
    ] = None,
    frames: Annotated[str | None, _axis("--frames", "Frames a clip.  [default: 8,16,32]")] = None,
    size: Annotated[
        str | None,
        _axis("--size", "Sides of the input in pixels; own is the backbone's.  [default: own]"),
    ] = None,
    heads: Annotated[str | None, _axis("--heads", "Heads.  [default: mean,temporal,gru]")] = None,
    sampling: Annotated[
        str | None, _axis("--sampling", "uniform, first, random, stride.  [default: uniform]")
    ] = None,
    crop: Annotated[str | None, _axis("--crop", "centre, whole.  [default: centre]")] = None,
    precision: Annotated[
        str | None, _axis("--precision", "auto, f32, bf16, int8.  [default: auto]")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Combinations to try, those of earlier calls included.")
    ] = 30,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout-s", help="Begin no further trial after so long.")
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="Which next: grid (in order), random, tpe (the most promising), auto (grid if "
            "--trials are enough for all, else tpe)."
        ),
    ] = "auto",
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune",
            help="End a trial early that is clearly worse than one that costs no more.",
        ),
    ] = True,
    remeasure: Annotated[
        bool,
        typer.Option("--remeasure", help="Measure the cost of every row again, on this machine."),
    ] = False,
    folds: Annotated[
        int, typer.Option(min=2, help="Folds, where the source has no `fold` column.")
    ] = 5,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs to train.")] = None,
    weights: Weights = None,
    groups: Groups = "auto",
    group_pattern: GroupPattern = None,
    seed: Seed = 0,
    store: Store = None,
    json_file: Json = None,
    strict: Strict = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Try many settings on the same folds: accuracy against cost, and a command line for each."""
    from vidclass.cli.console import progress_bars, stopping, write_json
    from vidclass.cli.sweep_tables import report_sweep
    from vidclass.sweeping.config import SweepConfig
    from vidclass.sweeping.record import LEDGER, as_json
    from vidclass.sweeping.run import sweep

    space = _space(
        backbone=backbones,
        frames=frames,
        size=size,
        head=heads,
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
        groups=groups,
        command=_train_command(source, store),
        **chosen(timeout_s=timeout_s, epochs=epochs, weights=weights, group_pattern=group_pattern),
    )
    manifest = source.manifest(groups=groups, group_pattern=group_pattern)
    with stopping(out / LEDGER), progress_bars() as progress:
        result = sweep(
            manifest,
            out,
            space,
            config,
            store_folder=store,
            progress=progress,
            strict=strict,
            retry_failed=retry_failed,
        )
    if json_file is not None:
        write_json(json_file, as_json(result))
    report_sweep(result, quiet=json_file == "-")


def _space(**axes: str | None) -> SweepSpace:
    from vidclass.sweeping.config import SweepSpace

    return SweepSpace.checked(
        **{name: split_list(text) for name, text in axes.items() if text is not None}
    )


def split_list(text: str) -> list[str]:
    """The parts between commas; those inside brackets do not part.

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


def _train_command(source: Source, store: Path | None) -> tuple[str, ...]:
    """The beginning of a command line that reads the same source."""
    words = ["vidclass", "train", source.path]
    given = source.given() | ({} if store is None else {"store": store})
    for name, value in given.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return tuple(words)
