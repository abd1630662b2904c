"""One trial: features, their cost, and a cross-validation that may be ended early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vidclass.data.manifest import Manifest
from vidclass.features.extract import Extraction, extract
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.runtime.openvino_network import core
from vidclass.sweeping.config import Point, SweepConfig
from vidclass.sweeping.cost import FeatureCost, HeadCost, feature_costs, head_cost
from vidclass.sweeping.result import Row, plain_fold
from vidclass.sweeping.search import beaten_by
from vidclass.training.crossval import CrossValidation, cross_validate
from vidclass.training.out_of_fold import FoldResult
from vidclass.types import Failure, Progress, no_progress


class Keep(Protocol):
    """Takes facts by name, those of a row."""

    def __call__(self, **facts: Any) -> None:
        """Keep them."""
        ...


class Pruned(Exception):  # noqa: N818
    """A trial was ended early, and why."""


@dataclass
class Runner:
    """Runs trials on the same clips; what is measured once a setting is kept here.

    Attributes:
        manifest: The clips.
        config: How.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of the stages of the work.
        strict: Raise for the first clip that cannot be read.
        retry_failed: Try clips again that failed before, once a feature setting.
        read: How many clips were read or tried; None before the first trial.
        failures: The clips that failed, over all settings, by video and span.
        notes: What the user should know, as sentences.
    """

    manifest: Manifest
    config: SweepConfig
    store_folder: Path | None = None
    progress: Progress = no_progress
    strict: bool = False
    retry_failed: bool = False
    read: int | None = None
    failures: dict[tuple[str, float, float | None], Failure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _features: dict[str, FeatureCost] = field(default_factory=dict)
    _heads: dict[tuple[str, int, int, int], HeadCost] = field(default_factory=dict)

    def run(self, point: Point, others: Sequence[Row], keep: Keep) -> tuple[float, float]:
        """Accuracy, the mean over folds, and milliseconds a clip.

        Args:
            point: The combination.
            others: The complete rows, to which it is compared while it runs.
            keep: Told of everything worth keeping, as soon as it is known.

        Raises:
            Pruned: it is clearly worse than one of `others` that costs no more.
            VidclassError: the combination, or the clips, cannot be used.
        """
        config = self.config.run_config(point)
        extractor = feature_extractor(config.features, self.manifest, progress=self.progress)
        keep(precision=extractor.config.precision, setting=extractor.fingerprint)
        extraction = self._extract(extractor)
        cost, ms_per_clip = self._measure(extractor, extraction, point.head, keep)
        done: list[FoldResult] = []

        def on_fold(fold: FoldResult) -> None:
            done.append(fold)
            keep(folds=[plain_fold(fold) for fold in done])
            own = Row(-1, "complete", point, tuple(done), ms_per_clip=ms_per_clip, ms_head=cost.ms)
            better = beaten_by(own, others) if self.config.prune else None
            if better is not None:
                raise Pruned(
                    f"clearly worse after {len(done)} of {len(better.folds)} folds than trial "
                    f"{better.number}, which costs no more"
                )

        begun = time.monotonic()
        result = cross_validate(
            self.manifest,
            config,
            folds=self.config.folds,
            store_folder=self.store_folder,
            progress=self.progress,
            on_fold=on_fold,
        )
        self._keep_result(result, keep, training_s=time.monotonic() - begun)
        return result.accuracy_mean, ms_per_clip

    def _extract(self, extractor: FeatureExtractor) -> Extraction:
        first = extractor.fingerprint not in self._features
        extraction = extract(
            self.manifest,
            extractor,
            store_folder=self.store_folder,
            progress=self.progress,
            strict=self.strict,
            retry_failed=self.retry_failed and first,
        )
        self.read = len(self.manifest)
        self.notes += [*extraction.notes, *extraction.failure_counts().notes()]
        for failure in extraction.failures:
            self.failures[(failure.video, failure.start_s, failure.stop_s)] = failure
        return extraction

    def _measure(
        self, extractor: FeatureExtractor, extraction: Extraction, head: str, keep: Keep
    ) -> tuple[HeadCost, float]:
        """The cost of the head, and milliseconds a clip, for now.

        Other settings are measured at other times, when the machine may be busier or less so:
        `costs_together` will compare them.
        """
        if extractor.fingerprint not in self._features:
            (self._features[extractor.fingerprint],) = feature_costs([(extractor, extraction)])
        features = self._features[extractor.fingerprint]
        frames = extractor.steps
        form = (head, frames, extractor.width, len(self.manifest.labels))
        if form not in self._heads:
            self._heads[form] = head_cost(
                head, frames=frames, width=extractor.width, classes=len(self.manifest.labels)
            )
        cost = self._heads[form]
        keep(
            ms_per_clip=round(features.ms + cost.ms, 4),
            ms_features=round(features.ms, 4),
            ms_head=round(cost.ms, 4),
            head_parameters=cost.parameters,
            head_multiplications=cost.multiplications,
            route=features.route,
            machine=this_machine(),
        )
        return cost, features.ms + cost.ms

    def costs_together(self, points: Sequence[Point]) -> dict[str, float]:
        """Milliseconds a clip of decoding and backbone, by setting, of all points side by side."""
        settings = {}
        for point in points:
            config = self.config.run_config(point).features
            extractor = feature_extractor(config, self.manifest, progress=self.progress)
            if extractor.fingerprint not in settings:
                settings[extractor.fingerprint] = (extractor, self._extract(extractor))
        costs = feature_costs(list(settings.values()), self.progress)
        return {name: round(cost.ms, 4) for name, cost in zip(settings, costs, strict=True)}

    def _keep_result(self, result: CrossValidation, keep: Keep, *, training_s: float) -> None:
        keep(
            accuracy_mean=result.accuracy_mean,
            accuracy_std=result.accuracy_std,
            accuracy=result.pooled.accuracy,
            accuracy_interval=list(result.pooled.accuracy_interval),
            videos=result.pooled.videos,
            failed=result.pooled.failed,
            training_s=round(training_s, 2),
        )
        self.notes += result.notes


def this_machine() -> str:
    """The name of this machine's processor."""
    return str(core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
