"""Where a fine-tuning stands, kept so that a killed one goes on at the very step."""

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
    """How far a fine-tuning is.

    Attributes:
        clips: The fingerprint of the clips and their split.
        epoch: The epoch under way, from 1; 0 before the first.
        step: How many of its steps are done.
        loss: The sum of its clips' losses so far.
        correct: How many of them were named rightly.
        seen: How many clips those are.
        history: The rows of the epochs that are done.
        best_epoch: The one whose weights are kept; 0 is the start.
        failures: The clips that could not be read on the way, by key.
        done: Whether training is over.
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
        """Go on to the next epoch."""
        self.epoch += 1
        self.step, self.loss, self.correct, self.seen = 0, 0.0, 0.0, 0


@dataclass(frozen=True)
class Checkpoint:
    """Everything that training goes on from.

    Attributes:
        state: How far it is.
        model: The variables that training changes.
        optimizer: The optimizer's variables.
        best: The model's variables at the best epoch.
    """

    state: TuneState
    model: Arrays
    optimizer: Arrays
    best: Arrays


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it in one step: until it is whole, the one before stays."""
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
    """The checkpoint of an unfinished fine-tuning; None if there is none.

    Raises:
        RunError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        # A file of our own: NumPy leaves the one it opens open where the archive is damaged.
        with path.open("rb") as data, np.load(data, allow_pickle=False) as file:
            values = json.loads(file[_STATE].tobytes())
            arrays = {name: file[name] for name in sorted(file.files) if name != _STATE}
        failures = {key: Failure(**row) for key, row in values.pop("failures").items()}
        state = TuneState(**values, failures=failures)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path} is damaged ({error}): remove it, or pass --overwrite, to begin again"
        ) from error
    return Checkpoint(state, *(_named(arrays, name) for name in ("model", "optimizer", "best")))


def _named(arrays: dict[str, NDArray[Any]], name: str) -> Arrays:
    return [array for key, array in arrays.items() if key.startswith(f"{name}_")]


def require_same_clips(state: TuneState, clips: str, path: Path) -> None:
    """What was begun with some clips cannot go on with others.

    Raises:
        RunError: other clips can be read now.
    """
    if state.clips != clips:
        raise RunError(
            f"{path} was begun with other clips than can be read now: put back what has changed, "
            "or pass --overwrite to begin again"
        )
