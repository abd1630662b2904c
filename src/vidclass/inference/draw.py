"""Predictions as pictures."""

from __future__ import annotations

from pathlib import Path

from vidclass.errors import ConfigError
from vidclass.inference.classifier import Prediction
from vidclass.video.annotate import annotate_frames, write_gif

LABELS = 3
FPS = 5.0


def draw_gif(path: Path, prediction: Prediction) -> None:
    """Write the frames an answer rests on, with the answer on them; nothing for a failure.

    Raises:
        ConfigError: the file cannot be written.
    """
    if prediction.frames is None:
        return
    best = list(prediction.scores.items())[:LABELS]
    # What is drawn would be read as the answer, which it is not.
    doubt = "?" if prediction.label is None else ""
    frames = annotate_frames(
        prediction.frames.frames,
        [label + doubt for label, _ in best],
        fractions=[score for _, score in best],
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_gif(path, frames, fps=FPS)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
