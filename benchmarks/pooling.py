"""Accuracy of other poolings of a frame: quarters, maximum, mirror images.

    python benchmarks/pooling.py ../shared/data/ucf11_9class/groups.csv
    python benchmarks/pooling.py ../shared/data/ucf11_9class/groups.csv \
        --backbone efficientnet_lite2 --size 260 --short-side 300 --frames 32

The last feature map of an EfficientNet-Lite is pooled in several ways, nothing is stored, and the
head `temporal` is fitted on the given folds.  vidclass has the plain mean only, because no other
pooling was measurably better.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vidclass
from vidclass.features.decoding import decode_for
from vidclass.features.extractor import backbone_spec
from vidclass.runtime.hardware import resolve_precision
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.openvino_network import core, ov
from vidclass.training.examples import Examples
from vidclass.training.logistic import LogisticHead

BATCH = 16
POOLINGS = ("mean", "mean and quarters", "mean and maximum", "mirror images averaged")


def main() -> None:
    """Print one row for each pooling."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--short-side", type=int)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    features = {"backbone": options.backbone, "size": options.size, "frames": options.frames}
    config = vidclass.run_config(features=features | {"short_side": options.short_side}).features
    manifest = vidclass.Manifest.from_source(options.source)
    pooled, mask = pooled_clips(config, manifest)
    targets = np.array([manifest.labels.index(label) for label in manifest.table["label"]])
    folds = manifest.table["fold"].to_numpy()
    print("| features of a frame | D | mean accuracy | over folds |\n| --- | ---: | ---: | ---: |")
    for pooling in POOLINGS:
        values = select_pooling(pooling, pooled)
        accuracies = fold_accuracies(Examples(values, mask, targets), folds)
        mean, std = np.mean(accuracies), np.std(accuracies)
        print(f"| {pooling} | {values.shape[-1]} | {mean:.3f} | ± {std:.3f} |")


def pooled_clips(
    config: Any, manifest: vidclass.Manifest
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Return poolings (N,T,7,D) of each frame, and the mask (N,T).

    The poolings are the mean, the means of four quarters, the maximum, and the mean of the mirror
    image.
    """
    network = last_map(config)
    frames = config.sampling.total_frames
    pooled = np.zeros((len(manifest), frames, 7, 1280), np.float16)
    mask = np.zeros((len(manifest), frames), np.bool_)
    for row, clip in enumerate(manifest.clips()):
        images = decode_for(config, clip.video, clip.span, fps=clip.fps).frames
        mask[row, : len(images)] = True
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            mirrored = pool(network(part[:, :, ::-1]))[:, :1]
            values = np.concatenate([pool(network(part)), mirrored], 1)
            pooled[row, start : start + len(part)] = values
        print(f"{row + 1} of {len(manifest)}", end="\r", file=sys.stderr, flush=True)
    return pooled, mask


def last_map(config: Any) -> Any:
    """Return a function from frames to the map (B,1280,h,w) that the backbone averages."""
    model = core().read_model(ensure_ir(backbone_spec(config)).xml)
    means = [op for op in model.get_ordered_ops() if op.get_type_name() == "ReduceMean"]
    value = means[-1].input_value(0)
    cut = ov.Model([ov.opset13.result(value)], model.get_parameters(), "map")
    hint = "bf16" if resolve_precision(config.precision) == "bf16" else "f32"
    request = core().compile_model(cut, "CPU", {"INFERENCE_PRECISION_HINT": hint})

    def run(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array(request([np.ascontiguousarray(frames)])[0])

    return run


def pool(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mean, means of four quarters that share the middle, and maximum: (B,6,1280)."""
    low, high = maps.shape[-1] // 2, -(-maps.shape[-1] // 2)
    parts = [maps]
    parts += [maps[:, :, rows, columns] for rows, columns in _quarters(low, high)]
    return np.stack([*(part.mean((2, 3)) for part in parts), maps.max((2, 3))], 1)


def _quarters(low: int, high: int) -> list[tuple[slice, slice]]:
    halves = (slice(0, high), slice(low, None))
    return [(rows, columns) for rows in halves for columns in halves]


def select_pooling(pooling: str, pooled: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return features (N,T,D) of one pooling."""
    indices = {"mean": [0], "mean and quarters": [0, 1, 2, 3, 4], "mean and maximum": [0, 5]}
    values = pooled.astype(np.float32)
    if pooling in indices:
        return values[:, :, indices[pooling]].reshape(*values.shape[:2], -1)
    return (values[:, :, 0] + values[:, :, 6]) / 2


def fold_accuracies(examples: Examples, folds: NDArray[np.int64]) -> list[float]:
    """Return the accuracy on each fold of a head fitted to the others."""
    classes = int(examples.targets.max()) + 1
    head = LogisticHead.from_examples("temporal", examples, classes=classes)
    accuracies = []
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        head.fit(np.flatnonzero(folds != fold))
        right = head.probabilities(inside).argmax(1) == examples.targets[inside]
        accuracies.append(float(right.mean()))
    return accuracies


if __name__ == "__main__":
    main()
