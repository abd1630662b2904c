"""The run that is fine-tuned: what it is made of, and which clips it has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vidclass._core.files import sha256_of
from vidclass.bundle import format as parts
from vidclass.bundle.read import Bundle
from vidclass.config import FeatureConfig, FinetuneConfig, RunConfig
from vidclass.data.checks import require_valid_table
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import ConfigError, ManifestError, RunError
from vidclass.training import run_folder as names
from vidclass.training.presets import training_of
from vidclass.types import Progress


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: Where it lies.
        config: Its configuration.
        bundle: Its classifier.
        known: The clips of its split, and of the runs it came from: (video, label, group, split,
            ...), one row a clip and run.
    """

    folder: Path
    config: RunConfig
    bundle: Bundle
    known: pl.DataFrame

    @property
    def features(self) -> FeatureConfig:
        """What made its features, with the weights where they lie now."""
        features = self.bundle.info.features
        own = self.folder / names.BACKBONE_WEIGHTS
        if features.weights in ("pretrained", "random") or not own.is_file():
            return features
        return features.model_copy(update={"weights": str(own.resolve())})

    @property
    def head_weights(self) -> Path:
        """The file of its head's weights."""
        return self.folder / names.CHECKPOINT


@dataclass(frozen=True)
class TuneJob:
    """What the parts of a fine-tuning share.

    Attributes:
        source: The run to begin with.
        out: The folder of the new one.
        config: How.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of every stage.
    """

    source: TrainedRun
    out: Path
    config: FinetuneConfig
    store_folder: Path | None
    progress: Progress

    @property
    def run_config(self) -> RunConfig:
        """The configuration of the new run; its head is not trained once more on validation."""
        info, old = self.source.bundle.info, self.source.config
        weights = str(self.out.resolve() / names.BACKBONE_WEIGHTS)
        return old.model_copy(
            update={
                "features": info.features.model_copy(update={"weights": weights}),
                "head": info.head,
                "training": training_of(old, info.head).model_copy(update={"refit": False}),
                "given": tuple(sorted({*old.given, "refit"})),
            }
        )


def open_run(folder: Path) -> TrainedRun:
    """A finished run, from its folder.

    Raises:
        ConfigError: it is a bundle, or of a kind that cannot be fine-tuned.
        RunError: it is no finished run, or a part of it is missing or of another run.
        BundleError: its bundle is damaged.
    """
    if not folder.exists():
        raise RunError(f"{folder}: there is no such run")
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is a file: name the run's folder. A bundle alone does not say which clips "
            "it has learned from."
        )
    bundle = Bundle.load(names.find_bundle(folder))
    check_finetunable(bundle)
    try:
        text = (folder / names.CONFIG).read_text(encoding="utf-8")
        config = RunConfig.model_validate_json(text)
        tables = [_read_split(folder / names.SPLIT)]
        if (folder / names.EARLIER).exists():
            tables.append(_read_split(folder / names.EARLIER))
        run = TrainedRun(folder, config, bundle, pl.concat(tables))
        whole = sha256_of(run.head_weights) == bundle.info.sha256.get(parts.HEAD_WEIGHTS)
    except (OSError, ValueError, pl.exceptions.PolarsError, ManifestError) as error:
        raise RunError(f"{folder} is not a whole run: {error}") from error
    if not whole:
        raise RunError(f"{run.head_weights} is not the head of {names.BUNDLE} beside it")
    return run


def _read_split(path: Path) -> pl.DataFrame:
    table = pl.read_csv(path, schema=dict(SCHEMA))
    require_valid_table(table)
    return table


def check_finetunable(bundle: Bundle) -> None:
    """One backbone that sees single frames is what can be fine-tuned, so far.

    Raises:
        ConfigError: the bundle has several heads, its labels are of another kind than one a
            clip, or its backbone takes windows of frames.
    """
    info = bundle.info
    if len(info.members) > 1:
        raise ConfigError(
            f"{bundle.path} is the mean of {len(info.members)} heads: fine-tune a run of one head, "
            "of one view and without mirror images."
        )
    if info.task != "single-label":
        raise ConfigError(
            f"{bundle.path} is a {info.task} classifier: only single-label ones can be fine-tuned."
        )
    if info.window > 1:
        raise ConfigError(
            f"the backbone {info.features.backbone!r} of {bundle.path} takes windows of "
            f"{info.window} frames: only backbones that see single frames can be fine-tuned."
        )


def check_labels(bundle: Bundle, manifest: Manifest, config: FinetuneConfig) -> None:
    """The clips have labels that the head knows, and so have the pairs to swap.

    Raises:
        ManifestError: a label is new.
        ConfigError: a label to swap is not one of the run's.
    """
    unknown = sorted(set(manifest.labels) - set(bundle.labels))
    if unknown:
        raise ManifestError(
            f"the run does not know these labels: {unknown}. It knows {bundle.labels}: train a "
            "new run for others."
        )
    strange = sorted(
        {name for pair in config.swap_labels.items() for name in pair} - set(bundle.labels)
    )
    if strange:
        raise ConfigError(f"swap_labels names {strange}, but the run's labels are {bundle.labels}.")
