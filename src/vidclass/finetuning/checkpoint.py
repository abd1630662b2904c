"""Checkpoints of fine-tuning, from which an interrupted run is resumed at the very step."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import replacing
from vidclass.errors import RunError
from vidclass.types import Failure

_STATE = "state"

Arrays = list[NDArray[Any]]


@dataclass
class TuneState:
    """Progress of fine-tuning.

    Attributes:
        clips: Fingerprint of the clips and their split.
        epoch: Current epoch, from 1; 0 before the first.
        step: Number of finished steps of the epoch.
        loss: Sum of the losses of the epoch's clips so far.
        correct: Number of these clips that were classified correctly.
        seen: Number of these clips.
        history: Rows of the finished epochs.
        best_epoch: Epoch whose weights are kept; 0 is the start.
        failures: Clips that could not be read in training, by key.
        done: True once training is over.
    """

    clips: str
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    seen: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    done: bool = False

    def begin_epoch(self) -> None:
        """Advance to the next epoch."""
        self.epoch += 1
        self.step, self.loss, self.correct, self.seen = 0, 0.0, 0.0, 0


@dataclass(frozen=True)
class Checkpoint:
    """Everything that training is resumed from.

    Attributes:
        state: Progress.
        model: Variables that training changes.
        optimizer: Variables of the optimizer.
        best: Variables of the model at the best epoch.
    """

    state: TuneState
    model: Arrays
    optimizer: Arrays
    best: Arrays


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint in one step: until the new file is whole, the old one stays."""
    arrays: dict[str, NDArray[Any]] = {
        f"{name}_{index:05}": array
        for name in ("model", "optimizer", "best")
        for index, array in enumerate(getattr(checkpoint, name))
    }
    # JSON keeps every bit of a number.
    text = json.dumps(asdict(checkpoint.state)).encode()
    arrays[_STATE] = np.frombuffer(text, np.uint8)
    with replacing(path) as temp:
        np.savez(temp, allow_pickle=False, **arrays)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint of unfinished training; None if there is none.

    Raises:
        RunError: It is damaged.
    """
    if not path.exists():
        return None
    try:
        # A file object of our own: NumPy leaves the one it opens open if the archive is damaged.
        with path.open("rb") as data, np.load(data, allow_pickle=False) as file:
            values = json.loads(file[_STATE].tobytes())
            arrays = {name: file[name] for name in sorted(file.files) if name != _STATE}
        failures = {key: Failure(**row) for key, row in values.pop("failures").items()}
        state = TuneState(**values, failures=failures)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path} is damaged ({error}): remove it, or pass overwrite=True, to begin again"
        ) from error
    return Checkpoint(state, *(_group(arrays, name) for name in ("model", "optimizer", "best")))


def _group(arrays: dict[str, NDArray[Any]], name: str) -> Arrays:
    return [array for key, array in arrays.items() if key.startswith(f"{name}_")]


def require_same_clips(state: TuneState, clips: str, path: Path) -> None:
    """Refuse to resume training on other clips.

    Raises:
        RunError: Other clips can be read now than when training began.
    """
    if state.clips != clips:
        raise RunError(
            f"{path} was begun with other clips than can be read now: put back what has changed, "
            "or pass overwrite=True to begin again"
        )
