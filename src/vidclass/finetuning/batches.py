"""Clips decoded ahead of the training, in small batches that are the same every time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass._core.parallel import Done, run_each
from vidclass.config import FeatureConfig, FinetuneConfig, SamplingConfig
from vidclass.data.clip import Clip
from vidclass.errors import VidclassError
from vidclass.features.decoding import decode_for
from vidclass.features.identity import VideoIdentity
from vidclass.types import UInt8Array
from vidclass.video.sampling import clip_generator

FloatRows = NDArray[np.float32]


@dataclass(frozen=True)
class TuneClip:
    """A clip with the key of its content and the index of its class."""

    clip: Clip
    key: str
    truth: int


@dataclass(frozen=True)
class Decoded:
    """What was read of a clip: pictures (n,H,W,3) uint8, n <= T, and the index of its class."""

    frames: UInt8Array
    truth: int


@dataclass(frozen=True)
class MicroBatch:
    """Clips that are computed at a time.

    Attributes:
        frames: (M,T,H,W,3) uint8; zeros where there is no clip or no frame.
        mask: (M,T) bool, True for real frames.
        truth: (M,) int, -1 where there is no clip.
        errors: Of the clips that could not be read: they are not in the batch.
    """

    frames: UInt8Array
    mask: NDArray[np.bool_]
    truth: NDArray[np.int64]
    errors: list[tuple[TuneClip, VidclassError]] = field(default_factory=list)

    @property
    def clips(self) -> int:
        """How many clips it has."""
        return int((self.truth >= 0).sum())

    def inputs(self) -> dict[str, NDArray[np.generic]]:
        """What the network takes."""
        return {"frames": self.frames, "mask": self.mask}


class ClipReader:
    """Reads clips as the run does, and for training with other frames and mirrored.

    What is drawn for a clip follows from the seed, the epoch and the clip's content alone.
    """

    def __init__(
        self,
        features: FeatureConfig,
        config: FinetuneConfig,
        videos: Mapping[Path, VideoIdentity],
        swaps: Mapping[int, int],
    ) -> None:
        self._features = features
        self._jittered = features
        self._config = config
        self._videos = videos
        self._swaps = swaps
        if config.jitter and can_jitter(features.sampling):
            old = features.sampling
            sampling = SamplingConfig(
                policy="random", frames=old.frames, views=old.views, seed=config.seed
            )
            self._jittered = features.model_copy(update={"sampling": sampling})

    @property
    def shape(self) -> tuple[int, int]:
        """T, and the side of the pictures."""
        return self._features.sampling.total_frames, self._features.geometry.size

    def plainly(self, item: TuneClip) -> Decoded:
        """The frames that the run uses.

        Raises:
            VideoError: the video cannot be read, or has changed.
        """
        return self._read(item, self._features, 0)

    def for_training(self, item: TuneClip, epoch: int) -> Decoded:
        """Frames for one epoch of training.

        Raises:
            VideoError: the video cannot be read, or has changed.
        """
        read = self._read(item, self._jittered, epoch)
        draw = clip_generator(self._config.seed, f"flip {item.key}", epoch=epoch)
        if not self._config.flip or draw.random() < 0.5:
            return read
        mirrored = np.ascontiguousarray(read.frames[:, :, ::-1])
        return Decoded(mirrored, self._swaps.get(read.truth, read.truth))

    def _read(self, item: TuneClip, features: FeatureConfig, epoch: int) -> Decoded:
        clip = item.clip
        frames = decode_for(
            features, clip.video, clip.span, fps=clip.fps, key=item.key, epoch=epoch
        )
        if clip.video in self._videos:
            self._videos[clip.video].require_unchanged()
        return Decoded(frames.frames, item.truth)


def can_jitter(sampling: SamplingConfig) -> bool:
    """Whether other frames of the same parts mean the same to a head."""
    return sampling.policy in ("uniform", "random")


def epoch_steps(clips: int, *, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of each step of an epoch: every clip once, in an order drawn from seed and epoch.

    All steps have the same number of clips, give or take one, and none more than `batch_size`.
    """
    order = np.random.default_rng([seed, epoch]).permutation(clips)
    return list(np.array_split(order, -(-clips // batch_size)))


def training_batches(
    reader: ClipReader, steps: Sequence[Sequence[TuneClip]], *, epoch: int, size: int, micro: int
) -> Generator[MicroBatch, None, None]:
    """`micro` batches of `size` clips for each step, decoded ahead in threads.

    Where a step has fewer clips, its last batches have empty rows.
    """
    rows = [item for step in steps for item in step]
    with closing(run_each(lambda item: reader.for_training(item, epoch), rows)) as decoded:
        for step in steps:
            left = len(step)
            for _ in range(micro):
                count = min(size, left)
                left -= count
                yield _batch(reader, decoded, count, size)


def plain_batches(
    reader: ClipReader, clips: Sequence[TuneClip], *, size: int
) -> Generator[MicroBatch, None, None]:
    """All clips in their order, with the frames that the run uses."""
    with closing(run_each(reader.plainly, clips)) as decoded:
        for start in range(0, len(clips), size):
            yield _batch(reader, decoded, min(size, len(clips) - start), size)


def _batch(
    reader: ClipReader, decoded: Iterator[Done[TuneClip, Decoded]], count: int, size: int
) -> MicroBatch:
    frames, side = reader.shape
    pictures = np.zeros((size, frames, side, side, 3), np.uint8)
    mask = np.zeros((size, frames), np.bool_)
    truth = np.full(size, -1, np.int64)
    errors = []
    for row in range(count):
        done = next(decoded)
        if done.result is None:
            if done.error is not None:
                errors.append((done.item, done.error))
            continue
        found = done.result.frames
        pictures[row, : len(found)] = found
        mask[row, : len(found)] = True
        truth[row] = done.result.truth
    return MicroBatch(pictures, mask, truth, errors)


def targets(
    truth: NDArray[np.int64], classes: int, *, smoothing: float, weights: Mapping[int, float] | None
) -> FloatRows:
    """Rows (M,K) that sum to the weight of their class; zeros where `truth` is -1."""
    rows = np.full((len(truth), classes), smoothing / classes, np.float32)
    real = truth >= 0
    rows[np.flatnonzero(real), truth[real]] += 1 - smoothing
    rows[~real] = 0
    if weights is not None:
        rows *= np.array([weights.get(int(index), 0.0) for index in truth], np.float32)[:, None]
    return rows
