"""`vidclass crossval`: accuracy by cross-validation."""

from __future__ import annotations

from typing import Annotated

import typer

from vidclass.cli.options import (
    ExecutionFlags,
    Folds,
    GroupingOptions,
    Json,
    SourceOptions,
    TrainingOptions,
)


def crossval_command(
    *,
    folds: Folds = 5,
    training: TrainingOptions,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeat with this many seeds, from --seed on, and compare.")
    ] = 1,
    grouping: GroupingOptions,
    json_file: Json = None,
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Measure settings by cross-validation over folds that share no group."""
    from vidclass.cli.console import ledger_beside, progress_bars, stopping, write_json
    from vidclass.cli.tables import report_crossval, report_seeds
    from vidclass.training.crossval import cross_validate_seeds

    config = training.config(multi_label=bool(source.multi_label), split=grouping.keywords())
    ledger = ledger_beside(json_file)
    manifest = source.manifest(**grouping.keywords())
    with stopping(ledger), progress_bars() as progress:
        result = cross_validate_seeds(
            manifest, config, seeds=seeds, folds=folds, **execution.keywords(progress)
        )
    single = result.runs[0] if seeds == 1 else None
    if json_file is not None:
        write_json(json_file, (single or result).to_json())
    if single is None:
        report_seeds(result, ledger=ledger, quiet=json_file == "-")
    else:
        report_crossval(single, ledger=ledger, quiet=json_file == "-")
