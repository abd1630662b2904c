"""Build backbone and head as one network, train it on all local devices, and save both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidclass.backbones.keras_weights import weights_owner, zero_initialisers
from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig, FinetuneConfig
from vidclass.errors import ConfigError, RunError
from vidclass.features.decoding import decode_for
from vidclass.features.extract import Extraction
from vidclass.finetuning.batches import TuneData
from vidclass.finetuning.checkpoint import Arrays, Checkpoint, TuneState
from vidclass.finetuning.loop import Tuner
from vidclass.runtime.hardware import has_gpu
from vidclass.training.fit import share_compiled_code
from vidclass.training.run_folder import BACKBONE_WEIGHTS, FINETUNE_CHECKPOINT, RunWriter
from vidclass.types import Progress

# Smallest cosine between features of a bundle and of Keras with the same weights, by precision.
_MIN_COSINE = {"f32": 0.9999, "bf16": 0.995, "int8": 0.9}


@dataclass(frozen=True)
class HeadStart:
    """The head at the start of training.

    Attributes:
        name: Name, as in a bundle.
        classes: K.
        weights: Initial weights; None if a checkpoint has them.
    """

    name: str
    classes: int
    weights: Arrays | None


@dataclass(frozen=True)
class TuneResult:
    """Finished training, whose weights are in the run folder.

    Attributes:
        state: History, best epoch, and clips that could not be read in training.
        trained: Number of trained parameters of the backbone.
        total: Number of all its parameters.
        devices: Number of devices.
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
    writer: RunWriter,
    start: TuneState | Checkpoint,
    progress: Progress,
) -> TuneResult:
    """Train backbone and head, and save the weights of the best epoch.

    Args:
        features: Feature settings of the run, with its backbone and weights.
        head: The head of the run.
        data: The clips.
        config: Settings of fine-tuning.
        writer: Writer of the run folder.
        start: A new state, or a checkpoint to resume from.
        progress: Callback; reports stage `finetune`.

    Raises:
        ConfigError: The backbone has fewer blocks than `unfreeze` asks for.
        WeightsError: The weights of the backbone are missing.
        RunError: The checkpoint is of another network.
    """
    import keras

    from vidclass.finetuning.model import join, leaves, quick_twin, unfreeze
    from vidclass.heads.registry import build_head

    share_compiled_code()
    frames = features.sampling.total_frames
    with all_devices() as devices:
        keras.utils.set_random_seed(config.seed)
        plain = build_network(features, config)
        network = quick_twin(plain)
        trained = unfreeze(leaves(network), config.unfreeze)
        with zero_initialisers():  # a checkpoint has the weights, if `head` has none
            classifier = build_head(head.name, frames, network.output_shape[-1], head.classes)
        if head.weights is not None:
            classifier.set_weights(head.weights)
        model = join(network, classifier, frames=frames, remat=config.remat)
        size = config.micro_batch * devices
        compile_joint(model, trained, config, micro=-(-config.batch_size // size))
        frozen = network.non_trainable_weights
        path = writer.path(FINETUNE_CHECKPOINT)
        tuner = Tuner(model, frozen, data, config, size=size, checkpoint=path, progress=progress)
        state = tuner.run(start)
        plain.set_weights(network.get_weights())
        weights_owner(plain).save_weights(writer.path(BACKBONE_WEIGHTS))
        writer.save_head(classifier)
        return TuneResult(state, _size(network.trainable_weights), _size(network.weights), devices)


def compile_joint(model: Any, trained: list[Any], config: FinetuneConfig, *, micro: int) -> None:
    """Compile the joint network, with gradients accumulated over `micro` batches a step."""
    from vidclass.finetuning.model import LayerwiseAdamW, correct, rate_factors, soft_loss

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
    """Build the backbone in Keras, in the precision of the training.

    Raises:
        ConfigError: It is not a Keras model.
        WeightsError: Its weights are missing.
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
        mixed = "mixed_bfloat16" if keras.backend.backend() == "jax" and has_gpu() else "float32"
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
            f"the backbone {backbone.name!r} is a {type(network).__name__}, not a Keras model: "
            "only those can be fine-tuned."
        )
    return network


@contextmanager
def all_devices() -> Iterator[int]:
    """Spread batches over all local devices of JAX; yields their number."""
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
    features: FeatureConfig, extraction: Extraction, config: FinetuneConfig
) -> None:
    """Require that a weights file is still the one of the run, by the features of the first clip.

    Args:
        features: Feature settings of the run, with the path of the weights.
        extraction: Features that the bundle of the run has extracted.
        config: Settings of fine-tuning.

    Raises:
        RunError: The file holds other weights.
        WeightsError: There is no such file, or it does not fit the backbone.
    """
    if features.weights in ("pretrained", "random"):
        return
    row = int(extraction.rows[0])
    clip = extraction.manifest.clips()[row]
    frames = decode_for(features, clip.video, clip.span, fps=clip.fps, key=extraction.keys[row])
    network = build_network(features, config)
    inputs = frames.frames.astype("float32")
    computed = np.asarray(network.predict(inputs, verbose=0), np.float64)
    expected = extraction.readable[0].features.astype(np.float64)
    lengths = np.linalg.norm(computed, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = float(((computed * expected).sum(1) / np.maximum(lengths, 1e-12)).mean())
    if cosine < _MIN_COSINE[features.precision]:
        raise RunError(
            f"{features.weights} does not hold the weights of the run: features of a clip have a "
            f"cosine of {cosine:.4f} with those of its bundle. Put back the file"
        )
