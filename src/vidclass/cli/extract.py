"""`vidclass extract`: the features of every clip, into the feature store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import ExecutionFlags, FeatureOptions, Preset, SourceOptions


def extract_command(
    *,
    preset: Preset = "default",
    features: FeatureOptions,
    ledger: Annotated[
        Path, typer.Option(help="File that lists the failures, if there are any.")
    ] = Path("ledger.jsonl"),
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Extract and store the features of every clip, except of clips stored already."""
    from vidclass.cli.console import closing_line, print_notes, progress_bars, say, stopping
    from vidclass.features.extract import extract
    from vidclass.features.extractor import feature_extractor
    from vidclass.training.presets import run_config

    config = run_config(preset, features=features.given()).features
    manifest = source.manifest()
    with stopping(ledger), progress_bars() as progress:
        extractor = feature_extractor(config, manifest, progress=progress)
        result = extract(manifest, extractor, **execution.keywords(progress))
    print_notes((*manifest.notes, *result.notes, *result.failure_counts().notes()))
    say(f"{result.ok - result.reused} clips extracted, {result.reused} were stored already")
    closing_line(result.ok, result.failures, ledger)
    if result.failures and not result.ok:
        raise typer.Exit(1)
