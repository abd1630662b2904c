"""Cost of classifying a clip on this machine, measured on a few clips of the manifest."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle.write import head_spec
from vidclass.data.clip import Clip
from vidclass.features.decoding import decode_for
from vidclass.features.extract import Extraction
from vidclass.features.extractor import FeatureExtractor, Network, OpenedNetwork
from vidclass.features.pipeline import stream_features
from vidclass.heads.cost import multiplications, parameters
from vidclass.heads.registry import build_head
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.openvino_network import OpenVinoNetwork
from vidclass.types import FrameBatch, Progress, no_progress

ROUNDS = 5
# Fewest clips per round; more where the network processes more in parallel.
CLIPS = 6
HEAD_RUNS = 30


@dataclass(frozen=True)
class FeatureCost:
    """Milliseconds per clip for decoding and backbone, and the runtime of the backbone."""

    ms: float
    route: str


@dataclass(frozen=True)
class HeadCost:
    """Milliseconds per clip for the head, its parameters, and multiplications for one clip."""

    ms: float
    parameters: int
    multiplications: int


def measure_features(
    settings: Sequence[tuple[FeatureExtractor, Extraction]], progress: Progress = no_progress
) -> list[FeatureCost]:
    """Measure decoding and backbone of each setting on a few clips, storing nothing.

    The clips go through the same pipeline as in `predict`, all at once, so that every core has
    work.  Every round measures every setting, alternately forwards and backwards, so that other
    load on the machine affects all of them alike; see `robust_costs_s`.

    Args:
        settings: For each setting, its feature extractor and the extraction it made.
        progress: Callback; reports stage `measure`.

    Raises:
        JobFailedError: None of the clips can be read.
    """
    times_s = np.zeros((ROUNDS, len(settings)))
    routes = [""] * len(settings)
    networks = _NetworkCache()
    for turn in range(ROUNDS):
        order = range(len(settings)) if turn % 2 == 0 else reversed(range(len(settings)))
        for done, index in enumerate(order):
            extractor, extraction = settings[index]
            opened = networks.open(extractor)
            clips = _sample_clips(extraction, max(CLIPS, 2 * opened.network.parallel))
            _seconds_per_clip(extractor, opened.network, clips[:1])  # warm up disk and network
            times_s[turn, index] = _seconds_per_clip(extractor, opened.network, clips)
            routes[index] = opened.route
            progress("measure", turn * len(settings) + done + 1, ROUNDS * len(settings))
    return [
        FeatureCost(1e3 * float(cost_s), route)
        for cost_s, route in zip(robust_costs_s(times_s), routes, strict=True)
    ]


def robust_costs_s(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return costs (S,) of S settings from their times (R,S) in R rounds, robust to other load.

    A machine that is busy for a while makes whole rounds slow, and a round in which that begins or
    ends treats settings unequally.  So each round is divided by its geometric mean; the median over
    rounds of the quotients compares the settings, and the fastest round gives the scale.

    >>> robust_costs_s(np.array([[1.0, 2.0], [4.0, 8.0], [4.0, 2.0]])).round(6).tolist()
    [1.0, 2.0]
    """
    level = np.exp(np.log(times_s).mean(1))
    costs: NDArray[np.float64] = np.median(times_s / level[:, None], axis=0) * level.min()
    return costs


class _NetworkCache:
    """Cache of opened networks that are slow to open; of the others one is in memory at a time."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, int, str], OpenedNetwork] = {}

    def open(self, extractor: FeatureExtractor) -> OpenedNetwork:
        config = extractor.config
        key = (config.backbone, config.geometry.size, config.precision)
        if key in self._cache:
            return self._cache[key]
        opened = extractor.open()
        if opened.route != "openvino":
            self._cache[key] = opened
        return opened


def _sample_clips(extraction: Extraction, count: int) -> list[tuple[str, Clip]]:
    """Return up to `count` readable clips with their keys, evenly spread over the manifest."""
    rows, clips = extraction.rows, extraction.manifest.clips()
    sample = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
    return [(key, clips[row]) for row in sample if (key := extraction.keys[row]) is not None]


def _seconds_per_clip(
    extractor: FeatureExtractor, network: Network, clips: list[tuple[str, Clip]]
) -> float:
    def decode(item: tuple[str, Clip]) -> FrameBatch:
        key, clip = item
        return decode_for(extractor.config, clip.video, clip.span, fps=clip.fps, key=key)

    started = time.perf_counter()
    stream = stream_features(
        clips, decode, network, video_of=lambda item: item[1].video, window=extractor.window
    )
    with closing(stream) as results:
        for done in results:
            if done.error is not None:
                raise done.error
    return (time.perf_counter() - started) / len(clips)


def measure_head(head: str, *, frames: int, width: int, classes: int) -> HeadCost:
    """Measure an untrained head as a bundle holds it, one clip at a time.

    Its time does not depend on its weights, so it need not be trained.

    Args:
        head: Name of the head, with settings if wanted.
        frames: Number of time steps T.
        width: Feature width D.
        classes: Number of classes K.

    Raises:
        ConfigError: There is no such head, or it cannot be built.
        RuntimeRouteError: The head cannot be converted to OpenVINO.
    """
    import keras

    keras.utils.set_random_seed(0)
    model = build_head(head, frames, width, classes)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "head.weights.h5"
        model.save_weights(weights)
        spec = head_spec(head, frames=frames, width=width, classes=classes, weights=weights)
        files = ensure_ir(spec)
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    features = np.random.default_rng(0).normal(size=(1, frames, width)).astype(np.float32)
    mask = np.ones((1, frames), np.bool_)
    network.run(features=features, mask=mask)
    times_s = [
        _seconds(lambda: network.run(features=features, mask=mask)) for _ in range(HEAD_RUNS)
    ]
    return HeadCost(1e3 * median(times_s), parameters(model), multiplications(model))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
