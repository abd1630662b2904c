"""Micro-batches of clips, decoded ahead of the training and the same in every run."""

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
from vidclass.features.identity import VideoIdentity, identify_clips
from vidclass.tasks.losses import class_weights
from vidclass.types import Progress, UInt8Array
from vidclass.video.sampling import clip_generator


@dataclass(frozen=True)
class TuneClip:
    """A clip with the key of its content and the index of its class."""

    clip: Clip
    key: str
    target: int


@dataclass(frozen=True)
class DecodedClip:
    """Frames (n,H,W,3) uint8 of a clip, n <= T, and the index of its class."""

    frames: UInt8Array
    target: int


@dataclass(frozen=True)
class MicroBatch:
    """Clips that go through the network at a time.

    Attributes:
        frames: (M,T,H,W,3) uint8; zeros where there is no clip or no frame.
        mask: (M,T) bool, True for real frames.
        targets: (M,) int, the class of each clip; -1 where there is no clip.
        errors: Clips that could not be read and are not in the batch, with the error of each.
    """

    frames: UInt8Array
    mask: NDArray[np.bool_]
    targets: NDArray[np.int64]
    errors: list[tuple[TuneClip, VidclassError]] = field(default_factory=list)

    @property
    def clips(self) -> int:
        """Number of clips."""
        return int((self.targets >= 0).sum())

    def inputs(self) -> dict[str, NDArray[np.generic]]:
        """Return the inputs of the network by name."""
        return {"frames": self.frames, "mask": self.mask}


class ClipReader:
    """Reader of clips with the frames that the run uses, or with augmentation for training.

    Random choices depend on the seed, the epoch and the clip's content alone.

    Args:
        features: Feature settings of the run.
        config: Settings of fine-tuning.
        videos: Identity of each video, which must not have changed since.
        swaps: Class of the mirror image of each class that has another one.
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
            sampling = SamplingConfig(
                policy="random",
                frames=features.sampling.frames,
                views=features.sampling.views,
                seed=config.seed,
            )
            self._jittered = features.model_copy(update={"sampling": sampling})

    @property
    def shape(self) -> tuple[int, int]:
        """T, and the side of the frames in pixels."""
        return self._features.sampling.total_frames, self._features.geometry.size

    def read_plain(self, item: TuneClip) -> DecodedClip:
        """Read the frames that the run uses.

        Raises:
            VideoError: The video cannot be read, or has changed.
        """
        return self._read(item, self._features, 0)

    def read_augmented(self, item: TuneClip, epoch: int) -> DecodedClip:
        """Read frames for one epoch of training.

        Raises:
            VideoError: The video cannot be read, or has changed.
        """
        decoded = self._read(item, self._jittered, epoch)
        rng = clip_generator(self._config.seed, f"flip {item.key}", epoch=epoch)
        if not self._config.flip or rng.random() < 0.5:
            return decoded
        mirrored = np.ascontiguousarray(decoded.frames[:, :, ::-1])
        return DecodedClip(mirrored, self._swaps.get(decoded.target, decoded.target))

    def _read(self, item: TuneClip, features: FeatureConfig, epoch: int) -> DecodedClip:
        clip = item.clip
        frames = decode_for(
            features, clip.video, clip.span, fps=clip.fps, key=item.key, epoch=epoch
        )
        if clip.video in self._videos:
            self._videos[clip.video].require_unchanged()
        return DecodedClip(frames.frames, item.target)


@dataclass(frozen=True)
class TuneData:
    """Clips to train and validate on.

    Attributes:
        reader: Decodes clips.
        train: Clips to train on.
        validation: Clips that decide which epoch is best; may be none.
        classes: K.
        weights: Weight of each class; None for equal ones.
    """

    reader: ClipReader
    train: list[TuneClip]
    validation: list[TuneClip]
    classes: int
    weights: Mapping[int, float] | None


def tune_data(
    clips: Sequence[Clip],
    keys: Sequence[str],
    labels: Sequence[str],
    *,
    features: FeatureConfig,
    config: FinetuneConfig,
    progress: Progress,
) -> TuneData:
    """Return the clips to train and validate on, by their splits.

    Args:
        clips: Readable clips with their splits.
        keys: Key of the content of each clip.
        labels: The classes.
        features: Feature settings of the run.
        config: Settings of fine-tuning.
        progress: Callback; reports stage `hash`.
    """
    videos, _ = identify_clips(clips, lambda *_: None, progress)
    pairs = [*config.swap_labels.items(), *((b, a) for a, b in config.swap_labels.items())]
    swaps = {labels.index(label): labels.index(other) for label, other in pairs}
    by_split: dict[str | None, list[TuneClip]] = {}
    for clip, key in zip(clips, keys, strict=True):
        item = TuneClip(clip, key, labels.index(clip.label))
        by_split.setdefault(clip.split, []).append(item)
    train = by_split.get("train", [])
    targets = np.array([item.target for item in train], np.int64)
    return TuneData(
        ClipReader(features, config, videos, swaps),
        train,
        by_split.get("validation", []),
        len(labels),
        class_weights(targets, len(labels)) if config.balance_classes else None,
    )


def can_jitter(sampling: SamplingConfig) -> bool:
    """Return whether the policy takes a frame of each equal part, so that others can be drawn."""
    return sampling.policy in ("uniform", "random")


def epoch_steps(clips: int, *, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Return the rows of each step of an epoch: every clip once, in random order.

    The order depends on seed and epoch alone.  Steps differ by one clip at most, and none has more
    than `batch_size`.
    """
    order = np.random.default_rng([seed, epoch]).permutation(clips)
    return list(np.array_split(order, -(-clips // batch_size)))


def training_batches(
    reader: ClipReader, steps: Sequence[Sequence[TuneClip]], *, epoch: int, size: int, micro: int
) -> Generator[MicroBatch, None, None]:
    """Yield `micro` batches of `size` clips for each step, decoded ahead in threads.

    A step with fewer clips has empty rows in its last batches.
    """
    rows = [item for step in steps for item in step]
    with closing(run_each(lambda item: reader.read_augmented(item, epoch), rows)) as decoded:
        for step in steps:
            left = len(step)
            for _ in range(micro):
                count = min(size, left)
                left -= count
                yield _batch(reader, decoded, count, size)


def plain_batches(
    reader: ClipReader, clips: Sequence[TuneClip], *, size: int
) -> Generator[MicroBatch, None, None]:
    """Yield all clips in their order, with the frames that the run uses."""
    with closing(run_each(reader.read_plain, clips)) as decoded:
        for start in range(0, len(clips), size):
            yield _batch(reader, decoded, min(size, len(clips) - start), size)


def _batch(
    reader: ClipReader, decoded: Iterator[Done[TuneClip, DecodedClip]], count: int, size: int
) -> MicroBatch:
    frames, side = reader.shape
    images = np.zeros((size, frames, side, side, 3), np.uint8)
    mask = np.zeros((size, frames), np.bool_)
    targets = np.full(size, -1, np.int64)
    errors = []
    for row in range(count):
        done = next(decoded)
        if done.result is None:
            if done.error is not None:
                errors.append((done.item, done.error))
            continue
        count_read = len(done.result.frames)
        images[row, :count_read] = done.result.frames
        mask[row, :count_read] = True
        targets[row] = done.result.target
    return MicroBatch(images, mask, targets, errors)


def soft_targets(
    targets: NDArray[np.int64],
    classes: int,
    *,
    smoothing: float,
    weights: Mapping[int, float] | None,
) -> NDArray[np.float32]:
    """Return rows (M,K) that sum to the weight of their class; zeros where the target is -1."""
    rows = np.full((len(targets), classes), smoothing / classes, np.float32)
    real = targets >= 0
    rows[np.flatnonzero(real), targets[real]] += 1 - smoothing
    rows[~real] = 0
    if weights is not None:
        rows *= np.array([weights.get(int(index), 0.0) for index in targets], np.float32)[:, None]
    return rows
