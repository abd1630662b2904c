"""`vidclass train`: a run folder with a bundle, from labelled videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import (
    AllowLeak,
    ExecutionFlags,
    GroupingOptions,
    Overwrite,
    SourceOptions,
    TrainingOptions,
    without_none,
)


def train_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the run.", show_default=False)],
    *,
    training: TrainingOptions,
    validation_tail: Annotated[
        float | None,
        typer.Option(
            help="Validate on this share of the training rows, the last ones, as the Keras example "
            "does."
        ),
    ] = None,
    grouping: GroupingOptions,
    allow_leak: AllowLeak = False,
    overwrite: Overwrite = False,
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Train a classifier on labelled videos and write a run folder with its bundle."""
    from vidclass.cli.console import progress_bars, stopping
    from vidclass.cli.tables import report_run
    from vidclass.training.run import train
    from vidclass.training.run_folder import LEDGER

    split = {**grouping.keywords(), "allow_leak": allow_leak}
    config = training.config(
        multi_label=bool(source.multi_label),
        split={**split, **without_none(validation_tail=validation_tail)},
    )
    manifest = source.manifest(**split)
    with stopping(out / LEDGER), progress_bars() as progress:
        result = train(manifest, out, config, overwrite=overwrite, **execution.keywords(progress))
    report_run(result)
