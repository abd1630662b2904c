"""Run of one trial: extract features, measure costs, cross-validate, end early if clearly worse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from vidclass._core.execution import ExecutionOptions
from vidclass.data.manifest import Manifest
from vidclass.features.extract import Extraction, extract_features
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.runtime.openvino_network import core
from vidclass.sweeping.config import Point, SweepConfig
from vidclass.sweeping.cost import FeatureCost, HeadCost, measure_features, measure_head
from vidclass.sweeping.result import Row
from vidclass.sweeping.search import better_row
from vidclass.training.crossval import CrossValidation, cross_validate
from vidclass.training.out_of_fold import FoldResult, FoldScore
from vidclass.types import Failure


class SaveValues(Protocol):
    """Callback that stores values of a row, by name."""

    def __call__(self, **values: Any) -> None:
        """Store the values."""
        ...


class Pruned(Exception):  # noqa: N818
    """A trial was ended early; the message says why."""


@dataclass
class TrialRunner:
    """Runs trials on the same clips; measures each feature setting and each head once.

    Attributes:
        manifest: The clips.
        config: Search settings.
        execution: Feature store, progress and failures; `retry_failed` counts once a setting.
        videos: Number of clips read or tried; None before the first trial.
        failures: The clips that failed, over all settings, by video and span.
        notes: Remarks for the user, as sentences.
    """

    manifest: Manifest
    config: SweepConfig
    execution: ExecutionOptions
    videos: int | None = None
    failures: dict[tuple[str, float, float | None], Failure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _features: dict[str, FeatureCost] = field(default_factory=dict)
    _heads: dict[tuple[str, int, int, int], HeadCost] = field(default_factory=dict)

    def run(self, point: Point, others: Sequence[Row], save: SaveValues) -> tuple[float, float]:
        """Return the mean accuracy over folds and the milliseconds per clip of a combination.

        Args:
            point: The combination.
            others: The complete rows, which the trial is compared to after each fold.
            save: Callback; stores values of the row as soon as they are known.

        Raises:
            Pruned: The trial is clearly worse than one of `others` that costs no more.
            VidclassError: The combination, or the clips, cannot be used.
        """
        config = self.config.run_config(point)
        extractor = self._extractor(point)
        save(precision=extractor.config.precision, setting=extractor.fingerprint)
        extraction = self._extract(extractor)
        head, ms_per_clip = self._measure(extractor, extraction, point.head, save)
        folds: list[FoldScore] = []

        def on_fold(fold: FoldResult) -> None:
            folds.append(fold.score)
            save(folds=[asdict(fold) for fold in folds])
            row = Row(-1, "complete", point, tuple(folds), ms_per_clip=ms_per_clip, ms_head=head.ms)
            better = better_row(row, others) if self.config.prune else None
            if better is not None:
                raise Pruned(
                    f"clearly worse after {len(folds)} of {len(better.folds)} folds than trial "
                    f"{better.number}, which costs no more"
                )

        started = time.monotonic()
        result = cross_validate(
            self.manifest,
            config,
            folds=self.config.folds,
            store_folder=self.execution.store_folder,
            progress=self.execution.progress,
            on_fold=on_fold,
        )
        self._save_result(result, save, training_s=time.monotonic() - started)
        return result.accuracy_mean, ms_per_clip

    def measure_together(self, points: Sequence[Point]) -> dict[str, float]:
        """Measure the feature settings of all points side by side.

        Returns:
            Milliseconds per clip of decoding and backbone, by fingerprint of the setting.
        """
        settings = {}
        for point in points:
            extractor = self._extractor(point)
            if extractor.fingerprint not in settings:
                settings[extractor.fingerprint] = (extractor, self._extract(extractor))
        costs = measure_features(list(settings.values()), self.execution.progress)
        return {name: round(cost.ms, 4) for name, cost in zip(settings, costs, strict=True)}

    def _extractor(self, point: Point) -> FeatureExtractor:
        config = self.config.run_config(point).features
        return feature_extractor(config, self.manifest, progress=self.execution.progress)

    def _extract(self, extractor: FeatureExtractor) -> Extraction:
        retry = self.execution.retry_failed and extractor.fingerprint not in self._features
        execution = replace(self.execution, retry_failed=retry)
        extraction = extract_features(self.manifest, extractor, execution)
        self.videos = len(self.manifest)
        self.notes += [*extraction.notes, *extraction.failure_counts().notes()]
        for failure in extraction.failures:
            self.failures[(failure.video, failure.start_s, failure.stop_s)] = failure
        return extraction

    def _measure(
        self, extractor: FeatureExtractor, extraction: Extraction, head: str, save: SaveValues
    ) -> tuple[HeadCost, float]:
        """Return the cost of the head, and preliminary milliseconds per clip.

        The settings are measured at different times, when the machine may be more or less busy:
        `measure_together` compares them later.
        """
        if extractor.fingerprint not in self._features:
            (self._features[extractor.fingerprint],) = measure_features([(extractor, extraction)])
        features = self._features[extractor.fingerprint]
        frames, width, classes = extractor.steps, extractor.width, len(self.manifest.labels)
        key = (head, frames, width, classes)
        if key not in self._heads:
            self._heads[key] = measure_head(head, frames=frames, width=width, classes=classes)
        cost = self._heads[key]
        save(
            ms_per_clip=round(features.ms + cost.ms, 4),
            ms_features=round(features.ms, 4),
            ms_head=round(cost.ms, 4),
            head_parameters=cost.parameters,
            head_multiplications=cost.multiplications,
            route=features.route,
            machine=processor_name(),
        )
        return cost, features.ms + cost.ms

    def _save_result(self, result: CrossValidation, save: SaveValues, *, training_s: float) -> None:
        save(
            accuracy_mean=result.accuracy_mean,
            accuracy_std=result.accuracy_std,
            accuracy=result.pooled.accuracy,
            accuracy_interval=list(result.pooled.accuracy_interval),
            videos=result.pooled.videos,
            failed=result.pooled.failed,
            training_s=round(training_s, 2),
        )
        self.notes += result.notes


def processor_name() -> str:
    """Return the name of this machine's processor."""
    return str(core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
