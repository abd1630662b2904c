"""Published classifiers: bundles made from their authors' weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from vidclass._core.files import cache_folder
from vidclass.backbones.i3d.family import classifier_weights, kinetics_labels
from vidclass.bundle.write import TrainedHead, write_bundle
from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.errors import require_choice
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.heads.registry import build_head
from vidclass.tasks.single_label import SingleLabelTask

# Increased when the same weights begin to give other probabilities.
REVISION = 1
MODELS = {"i3d-kinetics400": "i3d_rgb"}
# As the authors evaluate: 25 frames a second, a short side of 256 pixels, the central 224.  They
# take all frames; here it is at most 512, 20 seconds, in windows of 64 that are averaged.
_FRAMES = 512
_STRIDE_S = 0.04


def pretrained_bundle(name: str, *, weights: str = "pretrained", size: int = 224) -> Path:
    """Return the bundle of a published classifier, made at the first use and cached.

    Args:
        name: `i3d-kinetics400`: I3D (Carreira and Zisserman 2017) on RGB frames, for the 400
            actions of Kinetics.
        weights: `pretrained`, `random` (for tests), or the common prefix of a checkpoint's files.
        size: Side of the frames in pixels; the weights are for 224.

    Raises:
        ConfigError: there is no such model.
        WeightsError: its weights are missing.
    """
    backbone = MODELS[require_choice("model", name, MODELS)]
    config = FeatureConfig(
        backbone=backbone,
        weights=weights,
        sampling=SamplingConfig(policy="stride", frames=_FRAMES, stride_s=_STRIDE_S),
        geometry=GeometryConfig(size=size, short_side=size * 8 // 7),
    )
    extractor = feature_extractor(config)
    target = cache_folder() / "models" / f"{name}-{REVISION}-{extractor.fingerprint}.vidclass"
    if not target.is_file():
        _write(target, backbone, weights, extractor)
    return target


def _write(target: Path, backbone: str, weights: str, extractor: FeatureExtractor) -> None:
    """Write the bundle; the classifier is linear in the mean over windows, as the head `mean`."""
    kernel, bias = classifier_weights(backbone, weights)
    labels = kinetics_labels()
    model = build_head("mean", extractor.steps, extractor.width, len(labels))
    model.layers[-1].set_weights([kernel, bias])
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "head.weights.h5"
        model.save_weights(file)
        write_bundle(
            target,
            [TrainedHead("mean", file, extractor)],
            task=SingleLabelTask(tuple(labels)),
            data_fingerprint=hashlib.sha256(b"Kinetics-400").hexdigest(),
            trained_on=0,
        )
