"""`vidclass predict`: the labels of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import Json, Strict


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
            help="A published classifier in place of a bundle: i3d-kinetics400 recognises 400 "
            "actions. Its weights are downloaded when it is first used."
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames per second of image sequences: each folder of numbered images is then one "
            "video."
        ),
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown", help="Give no label below the probability that `train --unknown` chose."
        ),
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="Labels to show for each video.")] = 5,
    json_file: Json = None,
    csv_file: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write a CSV; - is standard output."),
    ] = None,
    gif: Annotated[
        Path | None,
        typer.Option(
            help="Write the frames that were used, with the prediction drawn on them: a file for "
            "one video, a folder for several."
        ),
    ] = None,
    strict: Strict = False,
) -> None:
    """Classify videos; print the labels, most probable first."""
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
