"""What naming a clip costs on this machine, measured on a few clips of the user's own."""

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
# At least so many clips; more where more parts of the network work side by side.
CLIPS = 6
HEAD_RUNS = 30


@dataclass(frozen=True)
class FeatureCost:
    """Milliseconds a clip for decoding and backbone, and the way the backbone ran."""

    ms: float
    route: str


@dataclass(frozen=True)
class HeadCost:
    """Milliseconds a clip for the head, its parameters, and multiplications for one clip."""

    ms: float
    parameters: int
    multiplications: int


def feature_costs(
    settings: Sequence[tuple[FeatureExtractor, Extraction]], progress: Progress = no_progress
) -> list[FeatureCost]:
    """Measure decoding and backbone of each setting on a few clips, nothing being stored.

    The clips go through the same pipeline as in `predict`, all at once, so that every core has
    work.  Every setting has its turn in every round, in both directions, so that what else the
    machine does meanwhile falls on all of them alike; see `fair_costs_s`.

    Args:
        settings: What makes the features, and the clips of which it made them.
        progress: Told of the stage `measure`.

    Raises:
        JobFailedError: none of the clips can be read.
    """
    times_s = np.zeros((ROUNDS, len(settings)))
    routes = [""] * len(settings)
    networks = _Networks()
    for turn in range(ROUNDS):
        order = range(len(settings)) if turn % 2 == 0 else reversed(range(len(settings)))
        for done, index in enumerate(order):
            extractor, extraction = settings[index]
            opened = networks.open(extractor)
            clips = _some_clips(extraction, max(CLIPS, 2 * opened.network.parallel))
            _seconds_a_clip(extractor, opened.network, clips[:1])  # wakes disk and network up
            times_s[turn, index] = _seconds_a_clip(extractor, opened.network, clips)
            routes[index] = opened.route
            progress("measure", turn * len(settings) + done + 1, ROUNDS * len(settings))
    return [
        FeatureCost(1e3 * float(cost_s), route)
        for cost_s, route in zip(fair_costs_s(times_s), routes, strict=True)
    ]


def fair_costs_s(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs (S,) of S settings from their times (R,S) in R rounds, some of them disturbed.

    A machine that is busy for a while makes whole rounds slow, and a round in which that begins or
    ends treats settings unequally.  So each round is divided by its geometric mean; the median over
    rounds of what remains tells the settings apart, and the quietest round gives the scale.

    >>> fair_costs_s(np.array([[1.0, 2.0], [4.0, 8.0], [4.0, 2.0]])).round(6).tolist()
    [1.0, 2.0]
    """
    level = np.exp(np.log(times_s).mean(1))
    costs: NDArray[np.float64] = np.median(times_s / level[:, None], axis=0) * level.min()
    return costs


class _Networks:
    """Opens networks; those that take long are kept, of the others one is in memory at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, str], OpenedNetwork] = {}

    def open(self, extractor: FeatureExtractor) -> OpenedNetwork:
        config = extractor.config
        key = (config.backbone, config.geometry.size, config.precision)
        if key in self._kept:
            return self._kept[key]
        opened = extractor.open()
        if opened.route != "openvino":
            self._kept[key] = opened
        return opened


def _some_clips(extraction: Extraction, count: int) -> list[tuple[str, Clip]]:
    """Evenly spread ones."""
    rows = zip(extraction.keys, extraction.manifest.clips(), strict=True)
    readable = [(key, clip) for key, clip in rows if key is not None]
    if not readable:
        extraction.readable()  # says why
    chosen = np.linspace(0, len(readable) - 1, min(count, len(readable))).round().astype(int)
    return [readable[row] for row in chosen]


def _seconds_a_clip(
    extractor: FeatureExtractor, network: Network, clips: list[tuple[str, Clip]]
) -> float:
    def decode(item: tuple[str, Clip]) -> FrameBatch:
        key, clip = item
        return decode_for(extractor.config, clip.video, clip.span, fps=clip.fps, key=key)

    begun = time.perf_counter()
    making = stream_features(
        clips, decode, network, video_of=lambda item: item[1].video, window=extractor.window
    )
    with closing(making) as results:
        for done in results:
            if done.error is not None:
                raise done.error
    return (time.perf_counter() - begun) / len(clips)


def head_cost(head: str, *, frames: int, width: int, classes: int) -> HeadCost:
    """Measure a head in the form that a bundle has it in, one clip at a time.

    How long it takes does not depend on its weights, so it need not be trained.

    Args:
        head: Its name, with settings if wanted.
        frames: T.
        width: D.
        classes: K.

    Raises:
        ConfigError: there is no such head, or it cannot be built.
        RuntimeRouteError: it has no such form.
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
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
