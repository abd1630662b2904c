"""`vidclass data check`: everything wrong or odd with a source of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import Json, SourceOptions, StoreFolder


def check_command(
    *,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page (HTML) with images of the clips."),
    ] = None,
    json_file: Json = None,
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Extract features where none are stored: near duplicates and labels that may be "
            "wrong are found by them.",
        ),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Decode every frame: finds damage inside files. Implies --features."
        ),
    ] = False,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The ledger of an earlier run: report which of its videos are readable now.",
        ),
    ] = None,
    store_folder: StoreFolder = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if any clip cannot be read.")
    ] = False,
    source: SourceOptions,
) -> None:
    """Inspect every clip and report everything wrong or odd."""
    from vidclass.audit.report import as_json, write_page
    from vidclass.audit.run import check, read_for_check
    from vidclass.cli.check_tables import report_audit, with_option_names
    from vidclass.cli.console import ledger_beside, progress_bars, write_json

    manifest = read_for_check(source.path, **source.given())
    with progress_bars() as progress:
        audit = check(
            manifest,
            deep=deep,
            features=features,
            store_folder=store_folder,
            ledger=ledger,
            progress=progress,
        )
    audit = with_option_names(audit)
    if json_file is not None:
        write_json(json_file, as_json(audit))
    if report is not None:
        write_page(report, audit, source=source.path)
    written = ledger_beside(report, json_file)
    report_audit(audit, page=report, ledger=written, quiet=json_file == "-")
    if strict and audit.failures:
        raise typer.Exit(1)
