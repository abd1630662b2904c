"""The rules that every backbone keeps."""

from __future__ import annotations

import numpy as np

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.features.extractor import backbone_spec
from vidclass.runtime.ir import PARITY_TOLERANCE, ensure_ir
from vidclass.runtime.network_spec import probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork


def check_backbone(name: str, *, size: int | None = None, weights: str = "random") -> None:
    """Check that a backbone states its facts, and that OpenVINO gives the numbers of its framework.

    Args:
        name: A backbone's public name.
        size: Side of the frames, in pixels; by default the backbone's own.
        weights: As in `FeatureConfig`.

    Raises:
        ConfigError: there is no such backbone.
        RuntimeRouteError: OpenVINO cannot run it, or gives other numbers.
        AssertionError: another rule is broken.
    """
    backbone = get_backbone(name)
    if backbone.weights_id("random") != backbone.weights_id("random"):
        raise AssertionError(f"{name}: weights_id changes from call to call")
    geometry = GeometryConfig(size=size or backbone.size)
    spec = backbone_spec(FeatureConfig(backbone=name, weights=weights, geometry=geometry))
    files = ensure_ir(spec)
    if files.parity > PARITY_TOLERANCE:
        raise AssertionError(f"{name}: OpenVINO differs by {files.parity}")
    frames = probe_inputs(spec)["frames"]
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    features = network.run(frames=frames)
    if features.shape != (len(frames), backbone.width):
        raise AssertionError(f"{name}: features of shape {features.shape}, width {backbone.width}")
    scale = np.abs(features).max()
    if np.ptp(features, axis=0).max() <= 0.01 * scale:
        raise AssertionError(f"{name}: features hardly depend on the frames")
    alone = network.run(frames=frames[:1])
    np.testing.assert_allclose(alone, features[:1], atol=1e-4 * scale)
