"""Build backbone and head as one network, train it on all local devices, and save both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidclass.backbones.keras_weights import weights_owner
from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig, FinetuneConfig
from vidclass.errors import ConfigError, RunError
from vidclass.finetuning.checkpoint import Arrays, Checkpoint, TuneState
from vidclass.finetuning.layers import rate_factors, unfreeze
from vidclass.finetuning.loop import TuneData, Tuner
from vidclass.runtime.gpu import gpu_at_hand
from vidclass.training import run_folder as names
from vidclass.training.fit import _share_compiled_code
from vidclass.types import ClipFeatures, Progress

# Least cosine between features of a bundle and of Keras with the same weights, by precision.
_ALIKE = {"f32": 0.9999, "bf16": 0.995, "int8": 0.9}


@dataclass(frozen=True)
class HeadStart:
    """The head to begin with.

    Attributes:
        name: As a bundle names it.
        classes: K.
        weights: Its weights; None where a checkpoint has them.
    """

    name: str
    classes: int
    weights: Arrays | None


@dataclass(frozen=True)
class Tuned:
    """A fine-tuning that is over; its weights are in the run folder.

    Attributes:
        state: Its history, the best epoch, and clips that could not be read on the way.
        trained: How many numbers of the backbone were trained.
        total: How many it has.
        devices: On how many devices.
    """

    state: TuneState
    trained: int
    total: int
    devices: int


def tune(
    features: FeatureConfig,
    head: HeadStart,
    data: TuneData,
    config: FinetuneConfig,
    *,
    out: Path,
    begun: Checkpoint | TuneState,
    progress: Progress,
) -> Tuned:
    """Train, and write the weights of the best epoch into `out`.

    Args:
        features: The run's, with its backbone and weights.
        head: Its head.
        data: The clips.
        config: How.
        out: The run folder.
        begun: A checkpoint to go on from, or a new state.
        progress: Told of the stage `finetune`.

    Raises:
        ConfigError: the backbone has not so many blocks.
        WeightsError: its weights are not at hand.
        RunError: the checkpoint is of another network.
    """
    import keras

    from vidclass.finetuning.model import join, leaves, quick_twin
    from vidclass.heads.registry import build_head

    _share_compiled_code()
    frames = features.sampling.total_frames
    with all_devices() as devices:
        keras.utils.set_random_seed(config.seed)
        plain = build_network(features, config)
        network = quick_twin(plain)
        trained = unfreeze(leaves(network), config.unfreeze)
        classifier = build_head(head.name, frames, network.output_shape[-1], head.classes)
        if head.weights is not None:
            classifier.set_weights(head.weights)
        model = join(network, classifier, frames=frames, remat=config.remat)
        size = config.micro_batch * devices
        compile_joint(model, trained, config, micro=-(-config.batch_size // size))
        frozen = network.non_trainable_weights
        path = out / names.TUNE_CHECKPOINT
        tuner = Tuner(model, frozen, data, config, size=size, checkpoint=path, progress=progress)
        found = begun if isinstance(begun, Checkpoint) else None
        state = tuner.run(begun.state if isinstance(begun, Checkpoint) else begun, found)
        plain.set_weights(network.get_weights())
        weights_owner(plain).save_weights(out / names.BACKBONE_WEIGHTS)
        classifier.save_weights(out / names.CHECKPOINT)
        return Tuned(state, _size(network.trainable_weights), _size(network.weights), devices)


def compile_joint(model: Any, trained: list[Any], config: FinetuneConfig, *, micro: int) -> None:
    """Give the joint network its loss and its optimizer, over `micro` small batches a step."""
    from vidclass.finetuning.model import LayerwiseAdamW, correct, soft_loss

    variables = model.trainable_variables
    optimizer = LayerwiseAdamW(
        rate_factors(variables, trained, config),
        decay=config.weight_decay,
        learning_rate=config.learning_rate,
        global_clipnorm=config.clip_norm,
        gradient_accumulation_steps=micro if micro > 1 else None,
    )
    optimizer.build(variables)
    model.compile(optimizer, loss=soft_loss, metrics=[correct])


def _size(weights: list[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def build_network(features: FeatureConfig, config: FinetuneConfig) -> Any:
    """The backbone in Keras, in the precision of the training.

    Raises:
        ConfigError: it is no network of Keras.
        WeightsError: its weights are not at hand.
    """
    import keras

    backbone = get_backbone(features.backbone)
    if backbone.framework != "keras":
        raise ConfigError(
            f"the backbone {backbone.name!r} is a network of PyTorch: only those of Keras can be "
            "fine-tuned."
        )
    mixed = config.mixed_precision
    if mixed == "auto":
        mixed = (
            "mixed_bfloat16" if keras.backend.backend() == "jax" and gpu_at_hand() else "float32"
        )
    before = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy(mixed)
    keras.config.set_image_data_format("channels_last")
    try:
        network = backbone.build(size=features.geometry.size, weights=features.weights)
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_image_data_format(before[1])
    if not isinstance(network, keras.Model):
        raise ConfigError(
            f"the backbone {backbone.name!r} is a {type(network).__name__}, no network of Keras: "
            "only those can be fine-tuned."
        )
    return network


@contextmanager
def all_devices() -> Iterator[int]:
    """Spread batches over all local devices, where there are several; yields their number.

    Keras does that under JAX.
    """
    import keras

    devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
    if len(devices) < 2:
        yield 1
        return
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield len(devices)
    finally:
        keras.distribution.set_distribution(before)


def require_same_backbone(
    features: FeatureConfig, frames: np.ndarray, expected: ClipFeatures, config: FinetuneConfig
) -> None:
    """A weights file must still be the one of the run: its bundle made `expected` of `frames`.

    Raises:
        RunError: it is not.
        WeightsError: there is no such file, or it does not fit.
    """
    if features.weights in ("pretrained", "random"):
        return
    network = build_network(features, config)
    made = np.asarray(network.predict(frames.astype("float32"), verbose=0), np.float64)
    theirs = expected.features.astype(np.float64)
    lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(theirs, axis=1)
    cosine = float(((made * theirs).sum(1) / np.maximum(lengths, 1e-12)).mean())
    if cosine < _ALIKE[features.precision]:
        raise RunError(
            f"{features.weights} does not hold the weights of the run: features of a clip have a "
            f"cosine of {cosine:.4f} with those of its bundle. Put back the file"
        )
