"""`vidclass evaluate`: metrics of a classifier on labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import AllowLeak, ExecutionFlags, Json, SourceOptions


def evaluate_command(
    run_or_bundle: Annotated[
        Path, typer.Argument(help="A run folder, or a bundle (.vidclass).", show_default=False)
    ],
    *,
    split: Annotated[
        str | None, typer.Option(help="Only the clips of this split: train, validation or test.")
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Count clips with labels that are not among the classifier's as unknown, and "
            "report how many of them it rejects.",
        ),
    ] = False,
    json_file: Json = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the metrics and the confusion matrix.")
    ] = None,
    allow_leak: AllowLeak = False,
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Measure a classifier on labelled clips."""
    from vidclass.bundle.read import Bundle
    from vidclass.cli.console import ledger_beside, progress_bars, stopping, write_json
    from vidclass.cli.tables import report_evaluation
    from vidclass.errors import ManifestError
    from vidclass.evaluation.evaluate import evaluate
    from vidclass.evaluation.page import write_page
    from vidclass.training.run_folder import find_bundle

    bundle = Bundle.load(find_bundle(run_or_bundle))
    manifest = source.manifest(allow_leak=allow_leak)
    if split is not None:
        manifest = manifest.where(split=split)
        if len(manifest) == 0:
            raise ManifestError(f"{source.path} has no clips of the split {split!r}")
    ledger = ledger_beside(json_file, report)
    with stopping(ledger), progress_bars() as progress:
        result = evaluate(bundle, manifest, unknown=unknown, **execution.keywords(progress))
    if json_file is not None:
        write_json(json_file, result.metrics.to_json())
    if report is not None:
        write_page(report, result, title=f"{bundle.path.name} on {source.path}")
    extraction = result.extraction
    notes = (*manifest.notes, *extraction.notes, *extraction.failure_counts().notes())
    report_evaluation(result, notes, ledger=ledger, quiet=json_file == "-")
