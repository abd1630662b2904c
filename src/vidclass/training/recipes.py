"""Named settings: whole recipes, and what suits each head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidclass.backbones.registry import get_backbone
from vidclass.config import (
    FeatureConfig,
    GeometryConfig,
    RunConfig,
    SamplingConfig,
    SplitConfig,
    TaskConfig,
    TrainingConfig,
)
from vidclass.errors import require_choice
from vidclass.heads.registry import head_name, parse_head

DEFAULT_BACKBONE = "efficientnet_lite0"
DEFAULT_HEAD = "temporal"

# Linear heads are convex, and their inputs have a length of 1: large steps with momentum, falling
# to zero along a cosine, find the same optimum every time.
_LINEAR = TrainingConfig(epochs=40, optimizer="sgd", learning_rate=1.0, patience=15)
_RECURRENT = TrainingConfig(epochs=60, learning_rate=1e-3, label_smoothing=0.1, patience=20)
_EXAMPLE = TrainingConfig(
    epochs=10, learning_rate=1e-3, cosine=False, balance_classes=False, refit=False
)

TRAINING: dict[str, TrainingConfig] = {
    "mean": _LINEAR,
    "mean_std": _LINEAR,
    "temporal": _LINEAR,
    "rolling_average": _LINEAR,
    # It begins with the classes' means: a few small steps are all it should take from there.
    "prototype": TrainingConfig(epochs=30, learning_rate=3e-3, patience=10),
    "gru": _EXAMPLE,
    "lstm": _RECURRENT,
    "bigru": _RECURRENT,
    "gru_attention": _RECURRENT,
    "attention": _RECURRENT,
    "transformer": _RECURRENT,
    "tcn": _RECURRENT,
}


def keras_example() -> RunConfig:
    """The Keras example: first 20 frames, InceptionV3 at 224 pixels, GRU, 10 epochs."""
    return RunConfig(
        features=FeatureConfig(
            backbone="InceptionV3",
            sampling=SamplingConfig(policy="head", frames=20),
            geometry=GeometryConfig(crop="centre", size=224),
        ),
        head="gru",
        training=_EXAMPLE,
    )


def default() -> RunConfig:
    """EfficientNet-Lite0 on 20 evenly spaced frames, and the default head."""
    return RunConfig(
        features=FeatureConfig(backbone=DEFAULT_BACKBONE),
        head=DEFAULT_HEAD,
        training=TRAINING[DEFAULT_HEAD],
    )


RECIPES = {"default": default, "keras-example": keras_example}


def run_config(
    recipe: str = "default",
    *,
    features: Mapping[str, Any] | None = None,
    head: str | None = None,
    training: Mapping[str, Any] | None = None,
    split: Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
) -> RunConfig:
    """A recipe with some settings replaced.

    Args:
        recipe: Its name.
        features: `backbone`, `weights`, `precision`, `policy`, `frames`, `stride_s`, `views`,
            `seed` (of the policy `random`), `crop`, `size`.  Another backbone brings its own
            input size, unless `size` is given.
        head: Another head; it brings its own training settings.
        training: Fields of TrainingConfig.
        split: Fields of SplitConfig.
        task: Fields of TaskConfig.

    Raises:
        ConfigError: a name or a value is not allowed.
    """
    base = RECIPES[require_choice("recipe", recipe, RECIPES)]()
    wanted = dict(features or {})
    if "backbone" in wanted:
        wanted.setdefault("size", get_backbone(wanted["backbone"]).size)
    schedule = base.training
    if head is not None and head != base.head:
        parse_head(head)
        schedule = TRAINING[head_name(head)]
    return RunConfig(
        features=FeatureConfig.checked(
            backbone=wanted.get("backbone", base.features.backbone),
            weights=wanted.get("weights", base.features.weights),
            precision=wanted.get("precision", base.features.precision),
            sampling=_changed(base.features.sampling, wanted, set(SamplingConfig.model_fields)),
            geometry=_changed(base.features.geometry, wanted, {"crop", "size"}),
        ),
        head=head or base.head,
        training=TrainingConfig.checked(**(schedule.model_dump() | dict(training or {}))),
        split=SplitConfig.checked(**(base.split.model_dump() | dict(split or {}))),
        task=TaskConfig.checked(**dict(task or {})),
    )


def _changed(config: Any, wanted: Mapping[str, Any], names: set[str]) -> Any:
    changes = {name: value for name, value in wanted.items() if name in names}
    return type(config).checked(**(config.model_dump() | changes))
