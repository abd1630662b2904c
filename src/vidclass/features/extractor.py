"""Feature extractors: the network of a feature setting, by the fastest runtime that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import fingerprint_of
from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig
from vidclass.errors import ConfigError, RuntimeRouteError
from vidclass.features.windows import window_count
from vidclass.runtime.hardware import has_bf16, has_gpu, resolve_precision
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
    "this processor has no bfloat16: it is emulated, two to three times slower than precision='f32'"
)


class Network(Protocol):
    """A network on named inputs, whose first axis is the batch.

    Attributes:
        parallel: Number of threads that may call `run` at a time.
        batch_frames: Recommended and largest number of frames for a call, except that one window
            of a network that sees several frames at once may be larger.
    """

    parallel: int
    batch_frames: int

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the one output."""
        ...


@dataclass(frozen=True)
class OpenedNetwork:
    """A network ready to run.

    Attributes:
        network: The network.
        route: Runtime that computes it.
        note: Sentence for the user about the route; may be empty.
    """

    network: Network
    route: Route
    note: str = ""


@dataclass(frozen=True)
class FeatureExtractor:
    """Extractor of features: a backbone of this machine, or the one inside a bundle.

    Attributes:
        config: Backbone, weights, sampling, geometry, and the precision that is really used.
        fingerprint: Hash that changes with anything that changes the features of a clip.
        width: D, the width of the features.
        open: Function that opens the network, which takes seconds the first time on a machine.
        ir: Function that returns the files of its OpenVINO form, for a bundle; None without one.
        window: Number of successive frames for one feature vector.
    """

    config: FeatureConfig
    fingerprint: str
    width: int
    open: Callable[[], OpenedNetwork]
    ir: Callable[[], IrFiles | None] = lambda: None
    window: int = 1

    @property
    def steps(self) -> int:
        """T, the largest number of feature vectors of a clip."""
        return window_count(self.config.sampling.total_frames, self.window)


def feature_extractor(
    config: FeatureConfig, manifest: Manifest | None = None, *, progress: Progress = no_progress
) -> FeatureExtractor:
    """Return the extractor of a feature setting; it opens its network only when needed.

    Args:
        config: Feature settings.
        manifest: The clips; an int8 network is calibrated on them.
        progress: Callback; reports stages `hash`, `calibrate` and `quantize`, for int8 only.

    Raises:
        ConfigError: there is no such backbone, or int8 without clips or without NNCF.
        WeightsError: its weights are missing.
        RuntimeRouteError: the backbone cannot compute in int8.
    """
    config = config.model_copy(update={"precision": resolve_precision(config.precision)})
    spec = backbone_spec(config)
    # Mirror images go through the same network as the original ones.
    geometry = config.geometry.model_copy(update={"mirror": False})
    unmirrored = config.model_copy(update={"geometry": geometry})
    int8 = _int8(spec, unmirrored, manifest, progress) if config.precision == "int8" else None
    settings = config.model_dump(mode="json")
    # Another FFmpeg may decode other pixels.
    parts = [FEATURE_FORMAT, settings, spec.fingerprint(), version("av")]
    parts += [] if int8 is None else [int8.identity]
    backbone = get_backbone(config.backbone)
    return FeatureExtractor(
        config,
        fingerprint_of(parts),
        backbone.width,
        open=lambda: open_backbone(config, int8),
        ir=lambda: _ir(spec, int8),
        window=backbone.window,
    )


def open_backbone(config: FeatureConfig, int8: Int8Ir | None = None) -> OpenedNetwork:
    """Open the backbone of `config`: in Keras on a GPU, else in OpenVINO if its IR passes.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are missing.
        RuntimeRouteError: a PyTorch network has no valid OpenVINO form.
    """
    spec = backbone_spec(config)
    precision = resolve_precision(config.precision)
    if int8 is not None:
        files = int8.ir
        network = OpenVinoNetwork.from_files(files.xml, files.bin, "int8", cached=True)
        return OpenedNetwork(network, "openvino")
    keras_precision: Literal["f32", "bf16"] = "bf16" if precision == "bf16" else "f32"
    if spec.framework == "keras" and has_gpu():
        return OpenedNetwork(_keras(spec, keras_precision), "gpu")
    try:
        files = ensure_ir(spec)
        network = OpenVinoNetwork.from_files(files.xml, files.bin, precision, cached=True)
    except RuntimeRouteError as error:
        if spec.framework != "keras":
            raise RuntimeRouteError(
                f"{config.backbone} runs through OpenVINO alone, and cannot: {error}. Choose "
                "another backbone, or another `size`"
            ) from error
        note = f"{config.backbone} runs in Keras, several times slower: {error}"
        return OpenedNetwork(_keras(spec, keras_precision), "keras", note)
    emulated = precision == "bf16" and not has_bf16()
    return OpenedNetwork(network, "openvino", _EMULATED if emulated else "")


def backbone_spec(config: FeatureConfig) -> NetworkSpec:
    """Return the spec that builds the backbone of `config`.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are missing.
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
            f"precision='int8': {config.backbone} sees several frames at once, and does not "
            "support int8: use f32 or bf16"
        )
    if manifest is None:
        raise ConfigError(
            "precision='int8' is calibrated on clips, and none are given: pass their manifest"
        )
    from vidclass.features.int8 import int8_for_clips

    try:
        return int8_for_clips(spec, config, manifest.clips(), progress=progress)
    except RuntimeRouteError as error:
        raise RuntimeRouteError(f"{config.backbone} cannot run in int8: {error}") from error


def _ir(spec: NetworkSpec, int8: Int8Ir | None) -> IrFiles | None:
    if int8 is not None:
        return int8.ir
    try:
        return ensure_ir(spec)
    except RuntimeRouteError:
        return None


def _keras(spec: NetworkSpec, precision: Literal["f32", "bf16"]) -> Network:
    from vidclass.runtime.keras_network import KerasNetwork

    return KerasNetwork(spec, precision)
