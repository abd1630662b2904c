"""Train backbone and head together: epochs, validation, the best epoch, and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import FinetuneConfig
from vidclass.errors import JobFailedError, RunError, VidclassError
from vidclass.finetuning.batches import (
    ClipReader,
    MicroBatch,
    TuneClip,
    epoch_steps,
    plain_batches,
    targets,
    training_batches,
)
from vidclass.finetuning.checkpoint import (
    Arrays,
    Checkpoint,
    TuneState,
    write_checkpoint,
)
from vidclass.finetuning.layers import rate_at
from vidclass.tasks.activations import softmax
from vidclass.types import Failure, Progress, no_progress


@dataclass(frozen=True)
class TuneData:
    """What is trained on.

    Attributes:
        reader: Decodes clips.
        train: The clips to learn from.
        validation: Those that decide which epoch is best; may be none.
        classes: K.
        weights: Of the classes, None for all alike.
    """

    reader: ClipReader
    train: list[TuneClip]
    validation: list[TuneClip]
    classes: int
    weights: Mapping[int, float] | None


class Tuner:
    """A compiled network in training.

    Args:
        model: From frames and mask to logits, compiled, with an optimizer that is built.
        frozen: The weights that training does not change.
        data: The clips.
        config: How.
        size: Clips computed at a time on all devices together.
        checkpoint: Where the checkpoint is kept.
        progress: Told of the stage `finetune`, step by step.
    """

    def __init__(
        self,
        model: Any,
        frozen: list[Any],
        data: TuneData,
        config: FinetuneConfig,
        *,
        size: int,
        checkpoint: Path,
        progress: Progress = no_progress,
    ) -> None:
        self._model = model
        unchanged = {id(weight) for weight in frozen}
        self._variables = [v for v in model.variables if id(v) not in unchanged]
        self._data = data
        self._config = config
        self._size = size
        self._path = checkpoint
        self._progress = progress
        self._micro = -(-config.batch_size // size)
        self._best: Arrays = []

    def run(self, state: TuneState, found: Checkpoint | None = None) -> TuneState:
        """Train to the end, from the beginning or from a checkpoint; the best weights stay.

        Raises:
            RunError: the checkpoint is of another network.
            JobFailedError: no training clip of an epoch could be read, or the loss is not a number.
        """
        if found is None:
            self._measure(state)
            state.begin_epoch()
            self._save(state)
        else:
            self._restore(found)
        while not state.done:
            self._train_epoch(state)
            self._measure(state)
            state.done = self._is_over(state)
            if not state.done:
                state.begin_epoch()
            self._save(state)
        _assign(self._variables, self._best, self._path)
        return state

    def _train_epoch(self, state: TuneState) -> None:
        data, config = self._data, self._config
        rows = epoch_steps(
            len(data.train), batch_size=config.batch_size, seed=config.seed, epoch=state.epoch
        )
        steps = [self._readable([data.train[row] for row in step], state) for step in rows]
        done = (state.epoch - 1) * len(steps)
        total = config.epochs * len(steps)
        saved_at = time.monotonic()
        batches = training_batches(
            data.reader,
            steps[state.step :],
            epoch=state.epoch,
            size=self._size,
            micro=self._micro,
        )
        with closing(batches):
            for step in steps[state.step :]:
                rate = rate_at(
                    done + state.step, total, highest=config.learning_rate, warmup=config.warmup
                )
                self._model.optimizer.learning_rate = rate
                self._train_step(batches, len(step), state)
                state.step += 1
                self._progress("finetune", done + state.step, total)
                if time.monotonic() - saved_at >= config.checkpoint_s and state.step < len(steps):
                    self._save(state)
                    saved_at = time.monotonic()
        if not state.seen:
            raise JobFailedError(
                f"none of the {len(data.train)} training clips can be read any more",
                failures=list(state.failures.values()),
            )

    def _readable(self, clips: list[TuneClip], state: TuneState) -> list[TuneClip]:
        """What failed before is not tried again."""
        return [item for item in clips if item.key not in state.failures]

    def _train_step(self, batches: Iterator[MicroBatch], clips: int, state: TuneState) -> None:
        """One change of the weights: as many small batches as it takes."""
        # The optimizer averages over all rows, empty ones too: this makes it the mean over clips.
        scale = self._micro * self._size / max(clips, 1)
        for _ in range(self._micro):
            batch = next(batches)
            note_failures(state, batch)
            rows = targets(
                batch.truth,
                self._data.classes,
                smoothing=self._config.label_smoothing,
                weights=self._data.weights,
            )
            told = self._model.train_on_batch(batch.inputs(), rows * scale, return_dict=True)
            loss = float(told["loss"]) * self._size / scale
            if not np.isfinite(loss):
                raise JobFailedError(
                    f"the loss became {loss} in epoch {state.epoch}, step {state.step + 1}: lower "
                    f"learning_rate={self._config.learning_rate}"
                )
            state.loss += loss
            state.correct += float(told["correct"]) * self._size
            state.seen += batch.clips

    def _measure(self, state: TuneState) -> None:
        """End an epoch: its row of the history, and whether it is the best one."""
        row: dict[str, float] = {"epoch": state.epoch, "accuracy": np.nan, "loss": np.nan}
        if state.seen:
            row |= {"accuracy": state.correct / state.seen, "loss": state.loss / state.seen}
        if self._data.validation:
            row |= self._validate(state)
        before = [row.get("val_loss", -row["epoch"]) for row in state.history]
        state.history.append(row)
        if not before or row.get("val_loss", -row["epoch"]) < min(before):
            state.best_epoch = state.epoch
            self._best = _values(self._variables)

    def _validate(self, state: TuneState) -> dict[str, float]:
        """Mean loss and accuracy on the validation clips."""
        truth, logits = [], []
        clips = self._readable(self._data.validation, state)
        for batch in plain_batches(self._data.reader, clips, size=self._size):
            note_failures(state, batch)
            outputs = np.asarray(self._model.predict_on_batch(batch.inputs()))
            real = batch.truth >= 0
            truth.append(batch.truth[real])
            logits.append(outputs[real])
        if not sum(map(len, truth)):
            raise JobFailedError(
                f"none of the {len(self._data.validation)} validation clips can be read any more",
                failures=list(state.failures.values()),
            )
        return scores(np.concatenate(truth), softmax(np.concatenate(logits)))

    def _is_over(self, state: TuneState) -> bool:
        patience = self._config.patience
        waited = state.epoch - state.best_epoch
        return state.epoch >= self._config.epochs or (patience is not None and waited >= patience)

    def _save(self, state: TuneState) -> None:
        optimizer = _values(self._model.optimizer.variables)
        write_checkpoint(
            self._path, Checkpoint(state, _values(self._variables), optimizer, self._best)
        )

    def _restore(self, found: Checkpoint) -> None:
        _assign(self._variables, found.model, self._path)
        _assign(self._model.optimizer.variables, found.optimizer, self._path)
        self._best = found.best


def note_failures(state: TuneState, batch: MicroBatch) -> None:
    """Put what could not be read into the ledger, once."""
    for item, error in batch.errors:
        state.failures.setdefault(item.key, _failure(item, error))


def _failure(item: TuneClip, error: VidclassError) -> Failure:
    return Failure.from_error(error, video=item.clip.video, span=item.clip.span)


def scores(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Mean cross entropy and accuracy."""
    of_truth = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    hits = probabilities.argmax(1) == truth
    return {"val_accuracy": float(hits.mean()), "val_loss": float(-np.log(of_truth).mean())}


def _values(variables: list[Any]) -> Arrays:
    import keras

    # Copies: the next step may take the memory of these.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: Arrays, path: Path) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if [value.shape for value in values] != shapes:
        raise RunError(
            f"{path} holds {len(values)} arrays that do not fit the {len(shapes)} of this network: "
            "it was made with other settings or devices. Pass --overwrite to begin again"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
