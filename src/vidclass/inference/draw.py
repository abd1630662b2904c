"""Predictions drawn on the frames of a clip."""

from __future__ import annotations

from pathlib import Path

from vidclass.errors import ConfigError
from vidclass.inference.classifier import Prediction
from vidclass.video.annotate import annotate_frames, write_gif

LABELS = 3
FPS = 5.0


def draw_gif(path: Path, prediction: Prediction) -> None:
    """Write the frames used with the prediction drawn on them; nothing for a video that failed.

    Raises:
        ConfigError: the file cannot be written.
    """
    if prediction.frames is None:
        return
    top = list(prediction.scores.items())[:LABELS]
    # Without a label, the scores must not be read as the prediction.
    mark = "?" if prediction.label is None else ""
    frames = annotate_frames(
        prediction.frames.frames,
        [label + mark for label, _ in top],
        fractions=[score for _, score in top],
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_gif(path, frames, fps=FPS)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
