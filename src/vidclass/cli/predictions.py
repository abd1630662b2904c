"""Videos and output of `vidclass predict`."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vidclass._core.text import percent
from vidclass.cli.console import say, write_json, write_output
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.errors import ConfigError, StoppedError, VidclassError, VideoError
from vidclass.inference.classifier import Classifier, Prediction, predictions_json
from vidclass.inference.draw import draw_gif
from vidclass.types import Failure, Progress
from vidclass.video.image_sequence import image_names


def require_one_stdout(json_file: str | None, csv_file: str | None) -> None:
    """Refuse two formats on standard output.

    Raises:
        ConfigError: Both files are `-`.
    """
    if json_file == "-" and csv_file == "-":
        raise ConfigError("--json - and --csv - both want standard output: write one into a file")


def bundle_and_paths(arguments: Sequence[str], model: str | None) -> tuple[Path, list[str]]:
    """Return the bundle, from the first argument or `model`, and the paths to classify.

    Raises:
        ConfigError: There is no path, or no such model.
        RunError: A folder is not a finished run.
        WeightsError: The weights of the model are missing and cannot be downloaded.
    """
    if model is not None:
        from vidclass.inference.pretrained import pretrained_bundle

        return pretrained_bundle(model), list(arguments)
    if len(arguments) < 2:
        raise ConfigError(
            f"{arguments[0]} is the bundle: name the videos after it. Without a bundle, choose a "
            "published classifier with model='i3d-kinetics400'"
        )
    from vidclass.training.run_folder import find_bundle

    return find_bundle(Path(arguments[0])), list(arguments[1:])


def videos_in(paths: Sequence[str], *, fps: float | None = None) -> list[str]:
    """Return the videos at `paths`; a folder stands for all videos below it.

    With `fps`, a folder of images (an image sequence) is a video.

    Raises:
        ConfigError: A folder holds no video.
    """
    videos: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            videos.append(path)
            continue
        below = sorted(
            str(file)
            for file in (Path(path), *Path(path).rglob("*"))
            if (file.suffix.lower() in VIDEO_EXTENSIONS and file.is_file())
            or (fps is not None and file.is_dir() and image_names(file))
        )
        if not below and image_names(Path(path)):
            raise ConfigError(f"{path} holds images: if they are one video, give its `fps`")
        if not below:
            raise ConfigError(f"{path} holds no video ({', '.join(sorted(VIDEO_EXTENSIONS))})")
        videos.extend(below)
    return videos


def predict_all(
    classifier: Classifier,
    videos: Sequence[str],
    *,
    fps: float | None,
    gif: Path | None,
    strict: bool,
    progress: Progress,
) -> tuple[list[Prediction], list[Failure]]:
    """Predict each video and write its GIF at once, so that no frames pile up.

    Raises:
        StoppedError: A video cannot be read, and `strict` is set.
    """
    predictions: list[Prediction] = []
    for count, prediction in enumerate(classifier.predict_each(videos, fps=fps), 1):
        if prediction.error is not None and strict:
            raise _stopped(prediction.error, ok=len(predictions))
        if gif is not None:
            draw_gif(gif if len(videos) == 1 else gif / f"{count:04}.gif", prediction)
        predictions.append(replace(prediction, frames=None))
        progress("predict", count, len(videos))
    failures = [
        Failure.from_error(item.error, video=item.video) for item in predictions if item.error
    ]
    return predictions, failures


def _stopped(error: VidclassError, *, ok: int) -> VidclassError:
    return StoppedError.from_error(error, ok=ok) if isinstance(error, VideoError) else error


def print_predictions(predictions: Sequence[Prediction], *, top: int) -> None:
    """Print the most probable labels of each video."""
    for prediction in predictions:
        if prediction.error is None:
            decision = prediction.decision.text() if prediction.decision else ""
            say(f"{prediction.video}:" + (f" {decision}" if decision else ""))
            for label, score in list(prediction.scores.items())[:top]:
                say(f"  {label}: {percent(score):>7}")


def write_predictions_json(target: str, predictions: Sequence[Prediction]) -> None:
    """Write predictions as JSON to a file or, for `-`, to standard output."""
    write_json(target, predictions_json(predictions))


def write_predictions_csv(
    target: str, predictions: Sequence[Prediction], classifier: Classifier
) -> None:
    """Write a CSV with a row per video: label, probability, error, decision, score of each label.

    The columns of the decision depend on the label task.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    labels = classifier.labels
    columns = classifier.bundle.task.columns(unknown=classifier.unknown)
    writer.writerow(["video", "label", "probability", "error", *columns, *labels])
    for item in predictions:
        cells = item.decision.cells() if item.decision else [""] * len(columns)
        scores = [item.scores.get(label, "") for label in labels]
        writer.writerow(
            [item.video, item.label, item.probability, item.error or "", *cells, *scores]
        )
    if target == "-":
        sys.stdout.write(text.getvalue())
    else:
        write_output(Path(target), text.getvalue())
