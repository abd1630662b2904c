"""Fine-tuning of a tiny network: killed and resumed, over several devices, with bad clips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_set import write_set
from vidclass.errors import JobFailedError, RunError
from vidclass.finetuning.checkpoint import (
    Checkpoint,
    TuneState,
    read_checkpoint,
    require_same_clips,
    write_checkpoint,
)
from vidclass.training import run_folder as names
from vidclass.types import Failure

CHILD = Path(__file__).parents[1] / "support" / "tune_child.py"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("tuned") / "clips", groups=4)


def start(
    clips: Path, out: Path, *, delay_s: float = 0.0, micro_batch: int = 2, flags: str = ""
) -> Any:
    out.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(clips), str(out), str(delay_s), str(micro_batch)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XLA_FLAGS": flags},
    )


def finished(process: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the steps that it has printed, and its result."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    *steps, last = out.splitlines()
    return steps, json.loads(last)


def weights(run: Path) -> list[Any]:
    from tune_child import HEAD, tiny_network
    from vidclass.heads.registry import build_head

    network = tiny_network()
    network.load_weights(run / names.BACKBONE_WEIGHTS)
    head = build_head(HEAD, 4, 8, 2)
    head.load_weights(run / names.HEAD_WEIGHTS)
    return [*network.get_weights(), *head.get_weights()]


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A training that nothing interrupts: two epochs of two steps."""
    out = tmp_path_factory.mktemp("tuned") / "whole"
    steps, result = finished(start(clips, out))
    assert steps == [f"step {number}" for number in (1, 2, 3, 4)]
    return out, result


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_training_goes_on_at_the_step_and_ends_with_the_same_bits(
    clips: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    out = tmp_path / "run"
    process = start(clips, out, delay_s=1.0)
    for line in process.stdout:
        if line.strip() == "step 4":  # of two in the second epoch, the first one is kept
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    checkpoint = read_checkpoint(out / names.FINETUNE_CHECKPOINT)
    assert checkpoint is not None
    assert (checkpoint.state.epoch, checkpoint.state.step, checkpoint.state.done) == (2, 1, False)
    steps, result = finished(start(clips, out))
    assert steps == ["step 4"]
    np.testing.assert_equal(result["history"], whole[1]["history"])
    for mine, theirs in zip(weights(out), weights(whole[0]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_only_what_was_unfrozen_has_changed(whole: tuple[Path, dict[str, Any]]) -> None:
    import keras

    from tune_child import tiny_network

    keras.utils.set_random_seed(0)  # what `tune` does before it builds the network
    before = tiny_network()
    after = tiny_network()
    after.load_weights(whole[0] / names.BACKBONE_WEIGHTS)
    changed = {
        one.path
        for one, other in zip(before.weights, after.weights, strict=True)
        if not np.array_equal(np.asarray(one), np.asarray(other))
    }
    best = min(whole[1]["history"], key=lambda row: row["val_loss"])
    assert changed == ({"block1_depth/kernel", "block1_depth/bias"} if best["epoch"] else set())


@pytest.mark.slow
def test_two_devices_give_the_losses_of_one(
    clips: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    flags = "--xla_force_host_platform_device_count=2"
    # Two clips at a time in all, as in the other training: the head drops the same features.
    _, result = finished(start(clips, tmp_path / "two", micro_batch=1, flags=flags))
    assert (whole[1]["devices"], result["devices"]) == (1, 2)
    for mine, theirs in zip(result["history"], whole[1]["history"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, nan_ok=True)


def test_a_checkpoint_keeps_every_bit(tmp_path: Path) -> None:
    state = TuneState("abc", epoch=2, step=1, loss=0.1 + 0.2, history=[{"loss": float("nan")}])
    state.failures["key"] = Failure("a.avi", "decode", "VideoError", "a.avi: broken", "broken")
    arrays = [np.array([0.1, -0.0], np.float32), np.array(3, np.int32)]
    path = tmp_path / names.FINETUNE_CHECKPOINT
    assert read_checkpoint(path) is None
    write_checkpoint(path, Checkpoint(state, arrays, arrays[:1], []))
    checkpoint = read_checkpoint(path)
    assert checkpoint is not None
    np.testing.assert_equal(checkpoint.state.__dict__, state.__dict__)
    assert [len(checkpoint.model), len(checkpoint.optimizer), len(checkpoint.best)] == [2, 1, 0]
    for mine, theirs in zip(checkpoint.model, arrays, strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(RunError, match=r"is damaged .*: remove it, or pass overwrite=True"):
        read_checkpoint(path)
    with pytest.raises(RunError, match="was begun with other clips than can be read now"):
        require_same_clips(state, "abd", path)


class Scripted:
    """A model with given outputs; its one variable holds the number of training steps."""

    def __init__(self) -> None:
        import keras

        self.variables = [keras.Variable(np.zeros(2, np.float32))]
        self.optimizer = type("O", (), {"variables": [], "learning_rate": 0.0})()
        self.seen: list[Any] = []
        self.loss = 1.0

    def train_on_batch(self, inputs: Any, targets: Any, *, return_dict: bool) -> dict[str, float]:
        assert return_dict
        self.seen.append((inputs, targets))
        self.variables[0].assign(np.full(2, len(self.seen), np.float32))
        return {"loss": self.loss, "correct": 0.5}

    def predict_on_batch(self, inputs: Any) -> Any:
        return np.zeros((len(inputs["mask"]), 2), np.float32)


def test_a_clip_that_fails_on_the_way_is_in_the_ledger_once_and_in_no_batch(
    tmp_path: Path,
) -> None:
    from tune_child import CONFIG, tune_data
    from vidclass.finetuning.loop import Tuner

    folder = write_set(tmp_path / "clips", groups=3)
    data = tune_data(folder)
    failing = data.train[0]
    failing.clip.video.unlink()
    model, state = Scripted(), TuneState("clips")
    tuner = Tuner(model, [], data, CONFIG, size=2, checkpoint=tmp_path / names.FINETUNE_CHECKPOINT)
    tuner.run(state)
    assert [row.video for row in state.failures.values()] == [str(failing.clip.video)]
    # Two epochs of one step of two small batches: three of four rows are clips, each time.
    assert len(model.seen) == 4
    assert sum(int(targets.any(1).sum()) for _, targets in model.seen) == 6
    assert not any(inputs["mask"][~targets.any(1)].any() for inputs, targets in model.seen)
    # What is over is not trained again.
    checkpoint = read_checkpoint(tmp_path / names.FINETUNE_CHECKPOINT)
    assert checkpoint is not None
    assert tuner.run(checkpoint).done
    assert len(model.seen) == 4
    # No epoch is better than the start, so the start is kept.
    assert state.best_epoch == 0
    assert np.asarray(model.variables[0]).tolist() == [0.0, 0.0]


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    from tune_child import CONFIG, tune_data
    from vidclass.finetuning.loop import Tuner

    data = tune_data(write_set(tmp_path / "clips", groups=2))
    model = Scripted()
    model.loss = float("nan")
    tuner = Tuner(model, [], data, CONFIG, size=4, checkpoint=tmp_path / names.FINETUNE_CHECKPOINT)
    with pytest.raises(JobFailedError, match=r"loss became nan in epoch 1, step 1: lower learning"):
        tuner.run(TuneState("clips"))
    checkpoint = Checkpoint(TuneState("clips"), [], [], [])
    with pytest.raises(RunError, match="holds 0 arrays that do not fit the 1 of this network"):
        tuner.run(checkpoint)
