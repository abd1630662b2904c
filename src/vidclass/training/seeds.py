"""Cross-validation with several seeds: how much of a difference is chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.training.crossval import CrossValidation, cross_validate
from vidclass.types import Progress, no_progress


@dataclass(frozen=True)
class SeedsResult:
    """One cross-validation a seed.

    Attributes:
        runs: Them, in the order of the seeds.
    """

    runs: list[CrossValidation]

    @property
    def accuracy_mean(self) -> float:
        """Mean over the seeds of the mean over the folds."""
        return float(np.mean([run.accuracy_mean for run in self.runs]))

    @property
    def std_over_seeds(self) -> float:
        """Standard deviation over the seeds of the mean over the folds."""
        return float(np.std([run.accuracy_mean for run in self.runs]))

    @property
    def std_over_folds(self) -> float:
        """Standard deviation over the folds, the mean of the seeds'."""
        return float(np.mean([run.accuracy_std for run in self.runs]))

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of all held-out predictions, the mean of the seeds' intervals.

        The seeds predict the same clips, so that more seeds do not make it narrower.
        """
        low, high = np.mean([run.pooled.accuracy_interval for run in self.runs], axis=0)
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """The shape of the first seed's cross-validation, and what all the seeds say."""
        return {
            **self.runs[0].to_json(),
            "seeds": [
                {
                    "seed": run.config.training.seed,
                    "accuracy_mean": run.accuracy_mean,
                    "accuracy_std": run.accuracy_std,
                    "macro_f1": run.pooled.macro_f1,
                }
                for run in self.runs
            ],
            "over_seeds": {
                "accuracy_mean": self.accuracy_mean,
                "accuracy_std": self.std_over_seeds,
                "accuracy_std_over_folds": self.std_over_folds,
                "accuracy_interval": list(self.accuracy_interval),
            },
        }


def cross_validate_seeds(
    manifest: Manifest,
    config: RunConfig,
    *,
    seeds: int,
    progress: Progress = no_progress,
    validate: Callable[..., CrossValidation] = cross_validate,
    **options: Any,
) -> SeedsResult:
    """Cross-validate with the seeds `config.training.seed`, the next one, and so on.

    Where the manifest has no folds, each seed draws folds of its own.  Features are made once.

    Args:
        manifest: The clips.
        config: What is tried.
        seeds: How many.
        progress: Told of the stages of `cross_validate`; `folds` counts over all seeds.
        validate: What is done for a seed.
        options: The other arguments of `cross_validate`.

    Raises:
        VidclassError: see `cross_validate`.
    """
    runs = []
    for number in range(seeds):
        seed = config.training.seed + number
        training = config.training.model_copy(update={"seed": seed})
        this = config.model_copy(update={"training": training})
        tell = _shared(progress, number, seeds)
        runs.append(validate(manifest, this, progress=tell, **options))
    return SeedsResult(runs)


def _shared(progress: Progress, number: int, seeds: int) -> Progress:
    def tell(stage: str, done: int, total: int) -> None:
        if stage == "folds":
            progress(stage, number * total + done, seeds * total)
        else:
            progress(stage, done, total)

    return tell
