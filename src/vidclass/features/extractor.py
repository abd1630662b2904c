"""The network that a feature setting asks for, by the fastest route that gives Keras's numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig
from vidclass.errors import ConfigError, RuntimeRouteError
from vidclass.features.windows import window_count
from vidclass.runtime.hardware import Precision, has_bf16, has_gpu, resolve_precision
from vidclass.runtime.ir import IrFiles, ensure_ir
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.runtime.openvino_network import OpenVinoNetwork
from vidclass.types import Progress, no_progress

if TYPE_CHECKING:
    from vidclass.data.manifest import Manifest
    from vidclass.runtime.quantize import Int8Ir

# Changes when the same settings begin to give other features.  2: pixels that are not square,
# interlaced frames, high dynamic range and transparency are shown as they are meant.
FEATURE_FORMAT = 2

Route = Literal["openvino", "keras", "gpu"]

_EMULATED = (
    "this processor has no bfloat16: it is emulated, two to three times slower than --precision f32"
)


class Network(Protocol):
    """Something that runs a network on named inputs, the first axis being the batch.

    Attributes:
        parallel: How many threads may call `run` at a time.
        batch_frames: How many frames a call is best given; no call is given more, except for one
            whole window of a network that sees several frames at once.
    """

    parallel: int
    batch_frames: int

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The one output."""
        ...


@dataclass(frozen=True)
class OpenedNetwork:
    """A network, the way it runs, and what the user should know about that."""

    network: Network
    route: Route
    note: str = ""


@dataclass(frozen=True)
class FeatureExtractor:
    """Whatever makes features: a backbone of this machine, or the one inside a bundle.

    Attributes:
        config: Backbone, weights, sampling, geometry, and the precision that is really used.
        fingerprint: A key that changes with anything that changes the features of a clip.
        width: D, the width of the features.
        open: Opens the network, which takes seconds the first time on a machine.
        ir: The files of its OpenVINO form, for a bundle; None where it has no such form.
        window: How many successive frames make one feature vector.
    """

    config: FeatureConfig
    fingerprint: str
    width: int
    open: Callable[[], OpenedNetwork]
    ir: Callable[[], IrFiles | None] = lambda: None
    window: int = 1

    @property
    def steps(self) -> int:
        """T, the most feature vectors that a clip has."""
        return window_count(self.config.sampling.total_frames, self.window)


def feature_extractor(
    config: FeatureConfig, manifest: Manifest | None = None, *, progress: Progress = no_progress
) -> FeatureExtractor:
    """What makes the features that `config` asks for; the network is opened only when needed.

    Args:
        config: The settings.
        manifest: The clips; in int8 the network depends on them.
        progress: Told of the stages `hash`, `calibrate` and `quantize`, in int8 alone.

    Raises:
        ConfigError: there is no such backbone, or int8 without clips or without NNCF.
        WeightsError: its weights are not at hand.
        RuntimeRouteError: the backbone cannot compute in int8.
    """
    config = config.model_copy(update={"precision": resolve_precision(config.precision)})
    spec = backbone_spec(config)
    # Mirror images go through the very network of the pictures.
    plain = config.geometry.model_copy(update={"mirror": False})
    seen = config.model_copy(update={"geometry": plain})
    int8 = _int8(spec, seen, manifest, progress) if config.precision == "int8" else None
    settings = config.model_dump(mode="json")
    # Another FFmpeg may give other pixels.
    parts = [FEATURE_FORMAT, settings, spec.fingerprint(), version("av")]
    parts += [] if int8 is None else [int8.identity]
    return FeatureExtractor(
        config,
        hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32],
        get_backbone(config.backbone).width,
        open=lambda: open_backbone(config, int8),
        ir=lambda: _ir(spec, int8),
        window=get_backbone(config.backbone).window,
    )


def open_backbone(config: FeatureConfig, int8: Int8Ir | None = None) -> OpenedNetwork:
    """The backbone of `config`: on a GPU by Keras, else through OpenVINO if it passes its check.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are not at hand.
        RuntimeRouteError: a network of PyTorch has no good OpenVINO form.
    """
    spec = backbone_spec(config)
    precision = resolve_precision(config.precision)
    if int8 is not None:
        return OpenedNetwork(_opened(int8.ir, "int8"), "openvino")
    keras_precision: Literal["f32", "bf16"] = "bf16" if precision == "bf16" else "f32"
    if spec.framework == "keras" and has_gpu():
        return OpenedNetwork(_keras(spec, keras_precision), "gpu")
    try:
        network = _opened(ensure_ir(spec), precision)
    except RuntimeRouteError as error:
        if spec.framework != "keras":
            raise RuntimeRouteError(
                f"{config.backbone} runs through OpenVINO alone, and cannot: {error}. Choose "
                "another backbone, or another --size"
            ) from error
        note = f"{config.backbone} runs in Keras, several times slower: {error}"
        return OpenedNetwork(_keras(spec, keras_precision), "keras", note)
    emulated = precision == "bf16" and not has_bf16()
    return OpenedNetwork(network, "openvino", _EMULATED if emulated else "")


def backbone_spec(config: FeatureConfig) -> NetworkSpec:
    """How the backbone of `config` is built.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are not at hand.
    """
    backbone = get_backbone(config.backbone)
    return NetworkSpec(
        "vidclass.backbones.registry:build_backbone",
        backbone.build_arguments(size=config.geometry.size, weights=config.weights),
        identity=backbone.weights_id(config.weights),
        frames=True,
        framework=backbone.framework,
        reference=backbone.reference,
    )


def require_backbone(config: FeatureConfig) -> None:
    """Require that the backbone of `config` exists and that its weights are on this machine.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are missing.
    """
    backbone_spec(config)


def _int8(
    spec: NetworkSpec, config: FeatureConfig, manifest: Manifest | None, progress: Progress
) -> Int8Ir:
    if spec.arguments.get("window"):
        raise ConfigError(
            f"precision='int8': {config.backbone} sees several frames at once, and is not made for "
            "int8: use f32 or bf16"
        )
    if manifest is None:
        raise ConfigError(
            "precision='int8' is calibrated on clips, and none are given: pass their manifest"
        )
    from vidclass.features.int8 import int8_for_clips

    try:
        return int8_for_clips(spec, config, manifest, progress=progress)
    except RuntimeRouteError as error:
        raise RuntimeRouteError(f"{config.backbone} cannot run in int8: {error}") from error


def _ir(spec: NetworkSpec, int8: Int8Ir | None) -> IrFiles | None:
    if int8 is not None:
        return int8.ir
    try:
        return ensure_ir(spec)
    except RuntimeRouteError:
        return None


def _opened(files: IrFiles, precision: Precision) -> OpenVinoNetwork:
    xml, weights = files.xml.read_bytes(), files.bin.read_bytes()
    return OpenVinoNetwork.from_bytes(xml, weights, precision, cached=True)


def _keras(spec: NetworkSpec, precision: Literal["f32", "bf16"]) -> Network:
    from vidclass.runtime.keras_network import KerasNetwork

    return KerasNetwork(spec, precision)
