"""What naming a clip costs on this machine, measured on a few clips of the user's own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from vidclass.bundle.write import head_recipe
from vidclass.data.manifest import Clip
from vidclass.errors import JobFailedError
from vidclass.features.clip import decode_for
from vidclass.features.extract import Extraction
from vidclass.features.networks import FeatureMaker, Network
from vidclass.features.pipeline import make_features
from vidclass.heads.cost import multiplications, parameters
from vidclass.heads.registry import build_head
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.network import OpenVinoNetwork
from vidclass.types import FrameBatch

# The first round is not counted: it warms the disk's cache and the network.
ROUNDS = 4
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


def feature_cost(maker: FeatureMaker, extraction: Extraction) -> FeatureCost:
    """Measure decoding and backbone on a few clips, evenly spread, nothing being stored.

    The clips go through the same pipeline as in `predict`, all at once, so that every core has
    work: the median over rounds of the time by the number of clips.

    Raises:
        JobFailedError: none of the clips can be read.
    """
    opened = maker.open()
    clips = _some_clips(extraction, max(CLIPS, 2 * opened.network.parallel))
    times_s = [_round_s(maker, opened.network, clips) for _ in range(ROUNDS)]
    return FeatureCost(1e3 * median(times_s[1:]) / len(clips), opened.route)


def _some_clips(extraction: Extraction, count: int) -> list[tuple[str, Clip]]:
    rows = zip(extraction.keys, extraction.manifest.clips(), strict=True)
    readable = [(key, clip) for key, clip in rows if key is not None]
    if not readable:
        extraction.readable()  # says why
        raise JobFailedError("there are no clips to measure the cost of.")
    chosen = np.linspace(0, len(readable) - 1, min(count, len(readable))).round().astype(int)
    return [readable[row] for row in chosen]


def _round_s(maker: FeatureMaker, network: Network, clips: list[tuple[str, Clip]]) -> float:
    def decode(item: tuple[str, Clip]) -> FrameBatch:
        key, clip = item
        return decode_for(maker.config, clip.video, clip.span, fps=clip.fps, key=key)

    begun = time.perf_counter()
    making = make_features(clips, decode, network, video_of=lambda item: item[1].video)
    with closing(making) as results:
        for done in results:
            if done.error is not None:
                raise done.error
    return time.perf_counter() - begun


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
        recipe = head_recipe(head, frames=frames, width=width, classes=classes, weights=weights)
        files = ensure_ir(recipe)
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
