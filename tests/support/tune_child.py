"""Fine-tune a tiny network in a process of its own: `tune_child.py CLIPS OUT DELAY_S MICRO_BATCH`.

Prints a line a step, then the history as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from vidclass.config import (
    FeatureConfig,
    FinetuneConfig,
    GeometryConfig,
    RunConfig,
    SamplingConfig,
)
from vidclass.data.manifest import Manifest
from vidclass.features.identity import identify_clips
from vidclass.finetuning import build
from vidclass.finetuning.batches import ClipReader, TuneClip, TuneData
from vidclass.finetuning.checkpoint import TuneState, read_checkpoint
from vidclass.heads.registry import build_head
from vidclass.training.run_folder import FINETUNE_CHECKPOINT, RunWriter
from vidclass.types import no_progress

FEATURES = FeatureConfig(
    weights="random", sampling=SamplingConfig(frames=4), geometry=GeometryConfig(size=16)
)
CONFIG = FinetuneConfig(
    unfreeze=1, epochs=2, patience=None, batch_size=4, micro_batch=2, flip=True, checkpoint_s=0
)
# It drops features at random, so that the generator's state matters.
HEAD = "attention"


def tiny_network() -> keras.Model:
    """A network with two blocks, a batch norm and a depthwise convolution; (B,16,16,3) to (B,8)."""
    layers = keras.layers
    frames = keras.Input((16, 16, 3), name="frames")
    x = layers.Rescaling(1 / 255)(frames)
    x = layers.Conv2D(8, 3, strides=2, name="block0_conv")(x)
    x = layers.BatchNormalization(name="block0_bn")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="block1_depth")(x)
    x = layers.BatchNormalization(name="block1_bn")(x)
    return keras.Model(frames, layers.GlobalAveragePooling2D()(x))


def tune_data(folder: Path, config: FinetuneConfig = CONFIG) -> TuneData:
    """The clips of a folder; those of group 0 are for validation."""
    clips = Manifest.from_source(folder).clips()
    videos, keys = identify_clips(clips, lambda *_: None, no_progress)
    labels = sorted({clip.label for clip in clips})
    items = [
        TuneClip(clip, key or "", labels.index(clip.label))
        for clip, key in zip(clips, keys, strict=True)
    ]
    held = [item for item in items if "_g00_" in item.clip.video.name]
    rest = [item for item in items if item not in held]
    return TuneData(ClipReader(FEATURES, config, videos, {}), rest, held, len(labels), None)


def main(clips: str, out: str, delay_s: str, micro_batch: str) -> None:
    """Train, from a checkpoint if there is one."""

    def build_network(*_: object) -> keras.Model:
        return tiny_network()

    def report(_: str, done: int, __: int) -> None:
        print(f"step {done}", flush=True)
        time.sleep(float(delay_s))

    build.build_network = build_network
    keras.utils.set_random_seed(5)
    checkpoint = read_checkpoint(Path(out) / FINETUNE_CHECKPOINT)
    weights = None
    if checkpoint is None:
        weights = [np.asarray(weight) for weight in build_head(HEAD, 4, 8, 2).get_weights()]
    result = build.tune(
        FEATURES,
        build.HeadStart(HEAD, 2, weights),
        tune_data(Path(clips)),
        CONFIG.model_copy(update={"micro_batch": int(micro_batch)}),
        writer=RunWriter(Path(out), RunConfig()),
        start=checkpoint or TuneState("these clips"),
        progress=report,
    )
    print(json.dumps({"history": result.state.history, "devices": result.devices}))


if __name__ == "__main__":
    main(*sys.argv[1:])
