"""The training loop of fine-tuning: epochs, validation, the best epoch, and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import FinetuneConfig
from vidclass.errors import JobFailedError, RunError
from vidclass.finetuning.batches import (
    MicroBatch,
    TuneClip,
    TuneData,
    epoch_steps,
    plain_batches,
    soft_targets,
    training_batches,
)
from vidclass.finetuning.checkpoint import (
    Arrays,
    Checkpoint,
    TuneState,
    write_checkpoint,
)
from vidclass.tasks.activations import softmax
from vidclass.types import Failure, Progress, no_progress


class Tuner:
    """Training loop of a compiled network.

    Args:
        model: Compiled model from frames and mask to logits, with a built optimizer.
        frozen: Weights that training does not change.
        data: The clips.
        config: Settings of fine-tuning.
        size: Number of clips in a micro-batch, on all devices together.
        checkpoint: Path of the checkpoint.
        progress: Callback; reports stage `finetune`, step by step.
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

    def run(self, start: TuneState | Checkpoint) -> TuneState:
        """Train to the end, and leave the weights of the best epoch in the model.

        Args:
            start: A new state, or a checkpoint to resume from.

        Raises:
            RunError: The checkpoint is of another network.
            JobFailedError: No training clip of an epoch could be read, or the loss is not a number.
        """
        if isinstance(start, Checkpoint):
            state = start.state
            self._restore(start)
        else:
            state = start
            self._measure(state)
            state.begin_epoch()
            self._save(state)
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
        """Return the clips that have not failed before."""
        return [item for item in clips if item.key not in state.failures]

    def _train_step(self, batches: Iterator[MicroBatch], clips: int, state: TuneState) -> None:
        """Update the weights once, on as many micro-batches as the step has."""
        # The optimizer averages over all rows, empty ones too: this makes it the mean over clips.
        scale = self._micro * self._size / max(clips, 1)
        for _ in range(self._micro):
            batch = next(batches)
            note_failures(state, batch)
            rows = soft_targets(
                batch.targets,
                self._data.classes,
                smoothing=self._config.label_smoothing,
                weights=self._data.weights,
            )
            logs = self._model.train_on_batch(batch.inputs(), rows * scale, return_dict=True)
            loss = float(logs["loss"]) * self._size / scale
            if not np.isfinite(loss):
                raise JobFailedError(
                    f"the loss became {loss} in epoch {state.epoch}, step {state.step + 1}: lower "
                    f"learning_rate={self._config.learning_rate}"
                )
            state.loss += loss
            state.correct += float(logs["correct"]) * self._size
            state.seen += batch.clips

    def _measure(self, state: TuneState) -> None:
        """Add the row of an epoch to the history, and keep its weights if it is the best."""
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
        """Return mean loss and accuracy on the validation clips."""
        targets, logits = [], []
        clips = self._readable(self._data.validation, state)
        for batch in plain_batches(self._data.reader, clips, size=self._size):
            note_failures(state, batch)
            outputs = np.asarray(self._model.predict_on_batch(batch.inputs()))
            real = batch.targets >= 0
            targets.append(batch.targets[real])
            logits.append(outputs[real])
        if not sum(map(len, targets)):
            raise JobFailedError(
                f"none of the {len(self._data.validation)} validation clips can be read any more",
                failures=list(state.failures.values()),
            )
        return scores(np.concatenate(targets), softmax(np.concatenate(logits)))

    def _is_over(self, state: TuneState) -> bool:
        patience = self._config.patience
        waited = state.epoch - state.best_epoch
        return state.epoch >= self._config.epochs or (patience is not None and waited >= patience)

    def _save(self, state: TuneState) -> None:
        optimizer = _values(self._model.optimizer.variables)
        write_checkpoint(
            self._path, Checkpoint(state, _values(self._variables), optimizer, self._best)
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        _assign(self._variables, checkpoint.model, self._path)
        _assign(self._model.optimizer.variables, checkpoint.optimizer, self._path)
        self._best = checkpoint.best


def note_failures(state: TuneState, batch: MicroBatch) -> None:
    """Add the clips that could not be read to the failures, each once."""
    for item, error in batch.errors:
        failure = Failure.from_error(error, video=item.clip.video, span=item.clip.span)
        state.failures.setdefault(item.key, failure)


def scores(targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return mean cross-entropy and accuracy."""
    likelihoods = np.maximum(probabilities[np.arange(len(targets)), targets], 1e-12)
    hits = probabilities.argmax(1) == targets
    return {"val_accuracy": float(hits.mean()), "val_loss": float(-np.log(likelihoods).mean())}


def rate_at(step: int, total: int, *, highest: float, warmup: float) -> float:
    """Return the head's learning rate in a step, from 0: a linear rise, then half a cosine to 0.

    >>> [round(rate_at(step, 10, highest=1.0, warmup=0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    rising = round(warmup * total)
    if step < rising:
        return highest * (step + 1) / rising
    done = (step - rising) / max(total - rising, 1)
    return highest * 0.5 * (1 + math.cos(math.pi * done))


def _values(variables: list[Any]) -> Arrays:
    import keras

    # Copies: the next step may take the memory of these.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: Arrays, path: Path) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if [value.shape for value in values] != shapes:
        raise RunError(
            f"{path} holds {len(values)} arrays that do not fit the {len(shapes)} of this network: "
            "it was made with other settings or devices. Pass overwrite=True to begin again"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
