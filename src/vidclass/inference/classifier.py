"""Classify new videos with a bundle."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from vidclass._core.parallel import Done
from vidclass.bundle.read import Bundle, BundleHead
from vidclass.errors import VidclassError
from vidclass.features.decoding import decode_for
from vidclass.features.extractor import FeatureExtractor
from vidclass.features.pipeline import ExtractedClip, stream_features
from vidclass.tasks.base import Decision
from vidclass.types import FrameBatch, Span

SCHEMA = 1
_CLIPS_PER_TURN = 8


@dataclass(frozen=True)
class Prediction:
    """Classification of one video.

    Attributes:
        video: The path as it was given.
        scores: Probability by label, the most probable first; empty for a video that failed.
        frames_used: Number of frames used; of several views, that of the first.
        frames: The frames used; None for a video that failed.
        error: The reason why the video could not be read.
        decision: Decision by the task and its thresholds; None for a video that failed.
    """

    video: str
    scores: dict[str, float]
    frames_used: int = 0
    frames: FrameBatch | None = field(default=None, repr=False)
    error: VidclassError | None = None
    decision: Decision | None = None

    @property
    def label(self) -> str | None:
        """Most probable label; None if the video failed, or no label is probable enough."""
        return self.decision.label if self.decision else next(iter(self.scores), None)

    @property
    def probability(self) -> float | None:
        """Probability of `label`; without a label, the highest probability."""
        if self.decision is not None:
            return self.decision.probability
        return next(iter(self.scores.values()), None)

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as JSON values; the shape is stable."""
        error = self.error and {"type": type(self.error).__name__, "message": str(self.error)}
        return {
            "video": self.video,
            "label": self.label,
            "probability": self.probability,
            "scores": self.scores,
            "frames_used": self.frames_used,
            "error": error,
            **(self.decision.to_json() if self.decision else {}),
        }


class Classifier:
    """A trained classifier.  One object serves one thread at a time.

    With `unknown`, a video whose highest probability is below the bundle's threshold has no label.

    Raises:
        ConfigError: `unknown` is set, but the bundle has no such threshold.
    """

    def __init__(self, bundle: Bundle, *, unknown: bool = False) -> None:
        if unknown:
            bundle.task.require_unknown(bundle.path)
        self.bundle = bundle
        self.unknown = unknown

    @classmethod
    def load(cls, path: str | Path, *, unknown: bool = False) -> Classifier:
        """Open a bundle file.

        Raises:
            BundleError: the file is not a complete bundle.
            ConfigError: `unknown` is set, but the bundle has no such threshold.
        """
        return cls(Bundle.load(path), unknown=unknown)

    @property
    def labels(self) -> list[str]:
        """Classes, sorted."""
        return self.bundle.labels

    def predict(
        self,
        path: str | Path,
        *,
        span: Span = Span(),  # noqa: B008
        fps: float | None = None,
    ) -> Prediction:
        """Classify one video, or a span of it.

        Args:
            path: Video file, or folder of an image sequence.
            span: Part of the video.
            fps: Frames a second of an image sequence.

        Raises:
            VideoError: the video cannot be read.
        """
        prediction = next(self._predict([path], span, fps))
        if prediction.error is not None:
            raise prediction.error
        return prediction

    def predict_each(
        self, paths: Iterable[str | Path], *, fps: float | None = None
    ) -> Generator[Prediction, None, None]:
        """Classify many videos; one that cannot be read gives a prediction with its error.

        Args:
            paths: As for `predict`.
            fps: Frames a second of image sequences among them.
        """
        return self._predict(paths, Span(), fps)

    def _predict(
        self, paths: Iterable[str | Path], span: Span, fps: float | None
    ) -> Generator[Prediction, None, None]:
        extractors = {head.info.feature_fingerprint: head.extractor() for head in self._ensemble}
        if len(extractors) == 1:
            [extractor] = extractors.values()
            with closing(_features_of(extractor, paths, span, fps)) as results:
                for result in results:
                    yield self._predict_clip([result] * len(self._ensemble))
            return
        # Networks take turns on a few clips at a time, so that few frames are in memory.
        remaining = iter(paths)
        while batch := list(islice(remaining, _CLIPS_PER_TURN)):
            features = {
                key: list(_features_of(extractor, batch, span, fps))
                for key, extractor in extractors.items()
            }
            by_head = [features[head.info.feature_fingerprint] for head in self._ensemble]
            for views in zip(*by_head, strict=True):
                yield self._predict_clip(views)

    @property
    def _ensemble(self) -> list[BundleHead]:
        return self.bundle.ensemble

    def _predict_clip(self, views: Sequence[Done[str | Path, ExtractedClip]]) -> Prediction:
        """Average the ensemble over the views of one clip."""
        video = str(views[0].item)
        clips = [view.result for view in views if view.result is not None]
        if len(clips) < len(views):
            error = next(view.error for view in views if view.result is None)
            return Prediction(video, {}, error=error)
        probabilities = self.bundle.probabilities(*([clip.features] for clip in clips))[0]
        order = (-probabilities).argsort(kind="stable")
        scores = {self.labels[index]: float(probabilities[index]) for index in order}
        decision = self.bundle.task.decide(probabilities, unknown=self.unknown)
        frames = clips[0].frames
        return Prediction(video, scores, len(frames.frames), frames, decision=decision)


def _features_of(
    extractor: FeatureExtractor, paths: Iterable[str | Path], span: Span, fps: float | None
) -> Generator[Done[str | Path, ExtractedClip], None, None]:
    """Yield the features of each video by one network, in order."""

    def decode(path: str | Path) -> FrameBatch:
        rate = fps if Path(path).is_dir() else None
        return decode_for(extractor.config, Path(path), span, fps=rate)

    network = extractor.open().network
    return stream_features(paths, decode, network, video_of=str, window=extractor.window)


def predictions_json(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return many predictions as JSON values; the shape is stable."""
    return {"schema": SCHEMA, "predictions": [item.to_json() for item in predictions]}
