"""Preparation loop of the Keras example: `predict()` on every frame by itself.

    KERAS_BACKEND=jax python benchmarks/variants/example.py --clips TABLE

Keras example "Video Classification with a CNN-RNN Architecture": OpenCV reads the first frames of
a clip, crops the centred square, resizes it to 224 pixels, converts BGR to RGB; InceptionV3 without
its top gives 2,048 features per frame.  Weights are random: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import cv2
import keras
import numpy as np
from protocol import read_clips, take_stdout, timed, versions

SIZE = 224


def main() -> None:
    """Measure the loop over all clips."""
    write_line = take_stdout()
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", required=True)
    parser.add_argument("--frames", type=int, default=20)
    arguments = parser.parse_args()
    clips = read_clips(arguments.clips)
    network = build_network()
    prepare(network, clips[:1], arguments.frames)  # compiles
    backend = {"tensorflow": "tensorflow_cpu"}.get(keras.backend.backend(), keras.backend.backend())
    facts = {"versions": versions("keras", backend, "opencv-python-headless")}
    write_line(timed(lambda: prepare(network, clips, arguments.frames)) | facts)


def build_network() -> keras.Model:
    """Build InceptionV3 with its preprocessing."""
    shape = (SIZE, SIZE, 3)
    backbone = keras.applications.InceptionV3(
        weights=None, include_top=False, pooling="avg", input_shape=shape
    )
    frames = keras.Input(shape)
    scaled = keras.applications.inception_v3.preprocess_input(frames)
    return keras.Model(frames, backbone(scaled))


def load_clip(path: str, most: int) -> np.ndarray:
    """Return the first `most` frames, (T,224,224,3) uint8 RGB."""
    capture = cv2.VideoCapture(path)
    frames: list[np.ndarray] = []
    try:
        while len(frames) < most:
            is_read, frame = capture.read()
            if not is_read:
                break
            height, width = frame.shape[:2]
            side = min(height, width)
            top, left = height // 2 - side // 2, width // 2 - side // 2
            square = frame[top : top + side, left : left + side]
            frames.append(cv2.resize(square, (SIZE, SIZE))[:, :, ::-1])
    finally:
        capture.release()
    return np.array(frames)


def prepare(network: keras.Model, clips: list[str], most: int) -> dict[str, Any]:
    """Extract the features of all clips, one frame at a time."""
    decode_seconds, count = 0.0, 0
    for path in clips:
        started = time.perf_counter()
        frames = load_clip(path, most)
        decode_seconds += time.perf_counter() - started
        features = np.zeros((most, network.output_shape[-1]), np.float32)
        for number in range(len(frames)):
            features[number] = network.predict(frames[None, number], verbose=0)[0]
        count += len(frames)
    return {"clips": len(clips), "frames": count, "decode_seconds": decode_seconds}


if __name__ == "__main__":
    main()
