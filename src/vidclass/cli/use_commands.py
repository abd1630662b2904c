"""Commands that use a trained classifier: predict, evaluate, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import (
    AllowLeak,
    Json,
    RetryFailed,
    RunOrBundle,
    Store,
    Strict,
)
from vidclass.cli.source_options import Source, takes_source
from vidclass.cli.task_options import UseUnknown

DEMO_FOLDER = Path("vidclass-demo")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo_command)
    app.command("predict")(predict_command)
    app.command("evaluate")(takes_source(evaluate_command))


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for everything the demo makes.")
    ] = Path("vidclass-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the clips and of training.")] = 0,
) -> None:
    """See the whole way work, without a network: clips, features, training, tests, a GIF."""
    from vidclass.cli.console import progress_bars, say
    from vidclass.cli.tables import report_demo
    from vidclass.demo.demo import run_demo

    with progress_bars() as progress:
        result = run_demo(out, seed=seed, say=say, progress=progress)
    report_demo(result)


def predict_command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE PATHS...",
            help="A run folder or a bundle (.vidclass), left out with --model; then videos, or "
            "folders of videos.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A published classifier in place of a bundle: i3d-kinetics400 names 400 actions. "
            "Its weights are fetched when it is first used."
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Pictures a second: every folder of numbered pictures is then one video."
        ),
    ] = None,
    unknown: UseUnknown = False,
    top: Annotated[int, typer.Option("--top", min=1, help="Labels to show for each video.")] = 5,
    json_file: Json = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a table; - is stdout.")
    ] = None,
    gif: Annotated[
        Path | None,
        typer.Option(
            help="Write the frames that were used, with the answer drawn on them: a file for one "
            "video, a folder for several."
        ),
    ] = None,
    strict: Strict = False,
) -> None:
    """Name the clips in videos, most probable label first."""
    from vidclass.cli.console import closing_line, ledger_beside, progress_bars, stopping
    from vidclass.cli.predictions import (
        bundle_and_paths,
        predict_all,
        print_predictions,
        require_one_stdout,
        videos_in,
        write_predictions_csv,
        write_predictions_json,
    )
    from vidclass.inference.classifier import Classifier

    require_one_stdout(json_file, csv_file)
    bundle, paths = bundle_and_paths(paths, model)
    classifier = Classifier.load(bundle, unknown=unknown)
    videos = videos_in(paths, fps=fps)
    ledger = ledger_beside(json_file, csv_file, gif)
    with stopping(ledger), progress_bars() as progress:
        predictions, failures = predict_all(
            classifier, videos, fps=fps, gif=gif, strict=strict, progress=progress
        )
    if json_file is not None:
        write_predictions_json(json_file, predictions)
    if csv_file is not None:
        write_predictions_csv(csv_file, predictions, classifier)
    if "-" not in (json_file, csv_file):
        print_predictions(predictions, top=top)
    closing_line(len(predictions) - len(failures), failures, ledger)
    if len(failures) == len(predictions):
        raise typer.Exit(1)


def evaluate_command(
    run_or_bundle: RunOrBundle,
    source: Source,
    split: Annotated[
        str | None, typer.Option(help="Only the clips of this split: train, validation or test.")
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Take clips with labels that the classifier does not know as unknown ones, and "
            "tell how many of them it refuses.",
        ),
    ] = False,
    json_file: Json = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the metrics and the confusion matrix.")
    ] = None,
    store: Store = None,
    allow_leak: AllowLeak = False,
    strict: Strict = False,
    retry_failed: RetryFailed = False,
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
        result = evaluate(
            bundle,
            manifest,
            store_folder=store,
            progress=progress,
            strict=strict,
            retry_failed=retry_failed,
            unknown=unknown,
        )
    if json_file is not None:
        write_json(json_file, result.metrics.to_json())
    if report is not None:
        write_page(report, result, title=f"{bundle.path.name} on {source.path}")
    extraction = result.extraction
    notes = (*manifest.notes, *extraction.notes, *extraction.failure_counts().notes())
    report_evaluation(result, notes, ledger=ledger, quiet=json_file == "-")
