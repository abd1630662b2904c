"""Other ways to make a vector of a frame: quarters, maximum, mirror images; folds decide.

    python benchmarks/pooling.py ../shared/data/ucf11_9class/groups.csv
    python benchmarks/pooling.py ../shared/data/ucf11_9class/groups.csv \
        --backbone efficientnet_lite2 --size 260 --short-side 300 --frames 32

The last map of an EfficientNet-Lite is pooled in several ways, nothing is stored, and the head
`temporal` is solved on the given folds.  A row is one way; what is not the plain mean is not in
vidclass, because it brought nothing that the folds could show.
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
WAYS = ("mean", "mean and quarters", "mean and maximum", "mirror images averaged")


def main() -> None:
    """Print one row for each way."""
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
    truth = np.array([manifest.labels.index(label) for label in manifest.table["label"]])
    folds = manifest.table["fold"].to_numpy()
    print("| features of a frame | D | mean accuracy | over folds |\n| --- | ---: | ---: | ---: |")
    for way in WAYS:
        values = features_of(way, pooled)
        found = scores(Examples(values, mask, truth), folds)
        print(f"| {way} | {values.shape[-1]} | {np.mean(found):.3f} | ± {np.std(found):.3f} |")


def pooled_clips(
    config: Any, manifest: vidclass.Manifest
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Of each clip and frame: mean, four quarters, maximum, mean of the mirror image; and mask."""
    network = last_map(config)
    frames = config.sampling.total_frames
    pooled = np.zeros((len(manifest), frames, 7, 1280), np.float16)
    mask = np.zeros((len(manifest), frames), np.bool_)
    for row, clip in enumerate(manifest.clips()):
        pictures = decode_for(config, clip.video, clip.span, fps=clip.fps).frames
        mask[row, : len(pictures)] = True
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            made = np.concatenate([pool(network(part)), pool(network(part[:, :, ::-1]))[:, :1]], 1)
            pooled[row, start : start + len(part)] = made
        print(f"{row + 1} of {len(manifest)}", end="\r", file=sys.stderr, flush=True)
    return pooled, mask


def last_map(config: Any) -> Any:
    """A function from frames to the map (B,1280,h,w) that the backbone averages."""
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
    """Mean, four quarters that share the middle row and column, maximum: (B,6,1280)."""
    low, high = maps.shape[-1] // 2, -(-maps.shape[-1] // 2)
    parts = [maps]
    parts += [maps[:, :, rows, columns] for rows, columns in _quarters(low, high)]
    return np.stack([*(part.mean((2, 3)) for part in parts), maps.max((2, 3))], 1)


def _quarters(low: int, high: int) -> list[tuple[slice, slice]]:
    halves = (slice(0, high), slice(low, None))
    return [(rows, columns) for rows in halves for columns in halves]


def features_of(way: str, pooled: NDArray[np.float16]) -> NDArray[np.float32]:
    """Features (N,T,D) in one of the ways."""
    chosen = {"mean": [0], "mean and quarters": [0, 1, 2, 3, 4], "mean and maximum": [0, 5]}
    wide = pooled.astype(np.float32)
    if way in chosen:
        return wide[:, :, chosen[way]].reshape(*wide.shape[:2], -1)
    return (wide[:, :, 0] + wide[:, :, 6]) / 2


def scores(examples: Examples, folds: NDArray[np.int64]) -> list[float]:
    """Accuracy on each fold by a head solved on the others."""
    classes = int(examples.targets.max()) + 1
    head = LogisticHead.from_examples("temporal", examples, classes=classes)
    found = []
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        head.fit(np.flatnonzero(folds != fold))
        right = head.probabilities(inside).argmax(1) == examples.targets[inside]
        found.append(float(right.mean()))
    return found


if __name__ == "__main__":
    main()
