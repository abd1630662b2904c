"""Write `NAME_reference.npz`: the features of the PyTorch original of an EfficientNet-Lite.

Run by hand, once; needs `torch` and `efficientnet_lite_pytorch` beside vidclass's own dependencies,
and the folder of real clips beside the checkout:

    python tests/support/make_lite_references.py efficientnet_lite1 efficientnet_lite2

The files keep features, classes and the checksums of the images, never the images.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.lite.family import LITES, checkpoint_file
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import Span
from vidclass.video.decode import decode_clip

REAL_CLIPS = (
    "data/ucf11_9class/diving/v_diving_04_07.avi",
    "data/ucf11_9class/basketball/v_shooting_01_01.avi",
    "data/ucf11_9class/horse_riding/v_riding_01_01.avi",
    "data/ucf11_9class/tennis_swing/v_tennis_01_01.avi",
    "data/ucf101_tiny/Diving/v_Diving_g01_c03.avi",
    "data/ucf101_tiny/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",
)


def reference_file(name: str) -> Path:
    """Return the file of the reference of a network."""
    return Path(__file__).parents[1] / "backbones" / "lite" / f"{name}_reference.npz"


def synthetic_images(size: int) -> NDArray[np.uint8]:
    """Return waves, blocks and noisy blocks, uint8 (3,size,size,3)."""
    rng = np.random.Generator(np.random.PCG64(11))
    y, x = np.mgrid[:size, :size]
    turns = ((3 * x + y) / size, (x * y) / (9 * size), (5 * y - 2 * x) / size)
    waves = np.stack([127.5 + 120 * np.sin(2 * np.pi * turn) for turn in turns], -1)
    blocks = rng.integers(0, 256, (14, 14, 3))[y * 14 // size, x * 14 // size]
    coarse = rng.integers(40, 216, (4, 4, 3))[y * 4 // size, x * 4 // size]
    noisy = coarse + rng.integers(-40, 41, coarse.shape)
    return np.stack([waves.round(), blocks, noisy]).astype(np.uint8)


def real_frame(shared: Path, clip: str, size: int) -> NDArray[np.uint8]:
    """Return the middle frame of a clip, uint8 (size,size,3)."""
    batch = decode_clip(
        shared / clip,
        span=Span(),
        sampling=SamplingConfig(policy="uniform", frames=1),
        geometry=GeometryConfig(crop="centre", size=size),
    )
    return batch.frames[0]


def pixels_sha256(image: NDArray[np.uint8]) -> str:
    """The checksum of a image's pixels."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def make(name: str) -> None:
    """Run the original on every image and write its reference beside this file."""
    torch: Any = import_module("torch")
    package: Any = import_module("efficientnet_lite_pytorch")
    size = LITES[name].size
    network = package.EfficientNet.from_pretrained(
        name.replace("_", "-"), weights_path=str(checkpoint_file(name))
    ).eval()
    shared = Path(__file__).resolve().parents[3] / "shared"
    real = [real_frame(shared, clip, size) for clip in REAL_CLIPS]
    images = np.stack([*synthetic_images(size), *real])
    with torch.no_grad():
        scaled = (torch.tensor(images).float() - 127) / 128
        features = network.extract_features(scaled.permute(0, 3, 1, 2)).mean((2, 3))
        logits = network._fc(features)
    np.savez_compressed(
        reference_file(name),
        features=features.numpy().astype(np.float32),
        top5=logits.topk(5).indices.numpy().astype(np.int32),
        pixels_sha256=np.array([pixels_sha256(image) for image in images]),
    )


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        make(wanted)
