"""The run that is fine-tuned: its configuration, its classifier, and the clips it has seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vidclass._core.files import sha256_of
from vidclass.bundle import format as parts
from vidclass.bundle.read import Bundle
from vidclass.config import FeatureConfig, FinetuneConfig, RunConfig
from vidclass.data.checks import require_valid_table
from vidclass.data.rows import SCHEMA
from vidclass.errors import ConfigError, ManifestError, RunError
from vidclass.features.extract import Extraction
from vidclass.finetuning.checkpoint import Arrays
from vidclass.heads.registry import load_head
from vidclass.training import run_folder as names
from vidclass.training.ensemble import uses_logistic
from vidclass.training.examples import load_examples
from vidclass.training.fit import fit_head
from vidclass.training.logistic import fit_logistic
from vidclass.training.presets import training_of
from vidclass.types import Progress


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: The run folder.
        config: Its configuration.
        bundle: Its classifier.
        clips: Table of the clips of its split and of the runs it came from: (video, label, group,
            split, ...), one row for each clip and run.
    """

    folder: Path
    config: RunConfig
    bundle: Bundle
    clips: pl.DataFrame

    @property
    def features(self) -> FeatureConfig:
        """Feature settings, with the path at which the weights are now."""
        features = self.bundle.info.first.features
        own = self.folder / names.BACKBONE_WEIGHTS
        if features.weights in ("pretrained", "random") or not own.is_file():
            return features
        return features.model_copy(update={"weights": str(own.resolve())})

    @property
    def head_weights(self) -> Path:
        """File of the head's weights."""
        return self.folder / names.HEAD_WEIGHTS

    def finetuned_config(self, folder: Path) -> RunConfig:
        """Return the configuration of the fine-tuned run in `folder`, which does not refit."""
        info, old = self.bundle.info.first, self.config
        weights = str(folder.resolve() / names.BACKBONE_WEIGHTS)
        return old.model_copy(
            update={
                "features": info.features.model_copy(update={"weights": weights}),
                "head": info.head,
                "training": training_of(old, info.head).model_copy(update={"refit": False}),
                "given": tuple(sorted({*old.given, "refit"})),
            }
        )

    def weights_of_head(self) -> Arrays:
        """Return the weights of the head as the run has left them."""
        info, classes = self.bundle.info.first, len(self.bundle.labels)
        weights = str(self.head_weights)
        head = load_head(info.head, info.frames, info.width, classes, weights)
        return [np.asarray(weight) for weight in head.get_weights()]

    def weights_before_refit(
        self, extraction: Extraction, splits: Sequence[str | None], *, progress: Progress
    ) -> Arrays:
        """Return the weights of the run's head before its refit on the validation clips.

        They are trained again, with the training clips of `splits`.

        Args:
            extraction: Features of the clips.
            splits: Split of each readable clip.
            progress: Callback; reports stage `train`.
        """
        info, task = self.bundle.info.first, self.bundle.task
        data = load_examples(extraction, task, info.frames)
        rows = {name: np.flatnonzero(np.array(splits) == name) for name in ("train", "validation")}
        training = data.at(rows["train"])
        fitted = None
        if uses_logistic(self.config):
            fitted = fit_logistic(info.head, training, task=task)
        if fitted is None:
            fitted = fit_head(
                info.head,
                training,
                training_of(self.config, info.head).model_copy(update={"refit": False}),
                task=task,
                validation=data.at(rows["validation"]),
                progress=progress,
            )
        return [np.asarray(weight) for weight in fitted.model.get_weights()]


def open_run(folder: Path) -> TrainedRun:
    """Read a finished run from its folder.

    Raises:
        ConfigError: It is a bundle, or of a kind that cannot be fine-tuned.
        RunError: It is not a finished run, or a part of it is missing or of another run.
        BundleError: Its bundle is damaged.
    """
    if not folder.exists():
        raise RunError(f"{folder}: there is no such run")
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is a file: name the run's folder. A bundle alone does not say which clips "
            "it was trained on."
        )
    bundle = Bundle.load(names.find_bundle(folder))
    require_finetunable(bundle)
    try:
        text = (folder / names.CONFIG).read_text(encoding="utf-8")
        config = RunConfig.model_validate_json(text)
        tables = [_read_split(folder / names.SPLIT)]
        if (folder / names.EARLIER_SPLITS).exists():
            tables.append(_read_split(folder / names.EARLIER_SPLITS))
        run = TrainedRun(folder, config, bundle, pl.concat(tables))
        matches = sha256_of(run.head_weights) == bundle.info.sha256.get(parts.HEAD_WEIGHTS)
    except (OSError, ValueError, pl.exceptions.PolarsError, ManifestError) as error:
        raise RunError(f"{folder} is not a whole run: {error}") from error
    if not matches:
        raise RunError(f"{run.head_weights} is not the head of {names.BUNDLE} beside it")
    return run


def _read_split(path: Path) -> pl.DataFrame:
    table = pl.read_csv(path, schema=dict(SCHEMA))
    require_valid_table(table)
    return table


def require_finetunable(bundle: Bundle) -> None:
    """Require a single-label classifier with one head on a backbone that sees single frames.

    Raises:
        ConfigError: The bundle is another one.
    """
    info = bundle.info
    if len(info.ensemble) > 1:
        raise ConfigError(
            f"{bundle.path} is the mean of {len(info.ensemble)} heads: fine-tune a run of one "
            "head, of one view and without mirror images."
        )
    if not info.task.targets_are_indices:
        raise ConfigError(
            f"{bundle.path} is a {info.task.kind} classifier: only single-label ones can be "
            "fine-tuned."
        )
    if info.first.window > 1:
        raise ConfigError(
            f"the backbone {info.first.features.backbone!r} of {bundle.path} takes windows of "
            f"{info.first.window} frames: only backbones that see single frames can be fine-tuned."
        )


def require_known_labels(bundle: Bundle, labels: Collection[str], config: FinetuneConfig) -> None:
    """Require that the head has a class for every label of the clips and every label to swap.

    Raises:
        ManifestError: A label of the clips is new.
        ConfigError: A label to swap is not one of the run's.
    """
    unknown = sorted(set(labels) - set(bundle.labels))
    if unknown:
        raise ManifestError(
            f"the run does not know these labels: {unknown}. It knows {bundle.labels}: train a "
            "new run for others."
        )
    strange = {*config.swap_labels, *config.swap_labels.values()} - set(bundle.labels)
    if strange:
        raise ConfigError(
            f"swap_labels names {sorted(strange)}, but the run's labels are {bundle.labels}."
        )
