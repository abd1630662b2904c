"""Presets: named settings of whole runs, and of the training of each head."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
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
from vidclass.errors import ConfigError, require_choice
from vidclass.heads.registry import head_name, heads, parse_head

DEFAULT_BACKBONE = "efficientnet_lite0"
AUTO = "auto"
# Heads that `auto` compares: each adds something to the one before it; the last is not linear.
CANDIDATES = ("mean", "mean_std", "temporal", "prototype", "bigru")
# The head if no comparison is possible.
DEFAULT_HEAD = "temporal"


def keras_example() -> RunConfig:
    """Return the Keras example: first 20 frames, InceptionV3 at 224 pixels, GRU, 10 epochs."""
    return RunConfig(
        features=FeatureConfig(
            backbone="InceptionV3",
            sampling=SamplingConfig(policy="first", frames=20),
            geometry=GeometryConfig(crop="centre", size=224),
        ),
        head="gru",
        training=heads()["gru"].training,
    )


def default() -> RunConfig:
    """Return EfficientNet-Lite0 on 20 evenly spaced frames, with a comparison of heads."""
    return RunConfig(features=FeatureConfig(backbone=DEFAULT_BACKBONE), head=AUTO)


def accurate() -> RunConfig:
    """Return EfficientNet-Lite2 and Lite1 on 32 frames each, averaged: six times the work."""
    lite2, lite1 = (
        FeatureConfig(
            backbone=f"efficientnet_{name}",
            sampling=SamplingConfig(frames=32),
            # The crop of these networks' own evaluation, and a little more.
            geometry=GeometryConfig(size=size, short_side=short_side),
        )
        for name, size, short_side in (("lite2", 260, 300), ("lite1", 240, 276))
    )
    return RunConfig(features=lite2, more=(lite1,), head=AUTO)


PRESETS = {"default": default, "accurate": accurate, "keras-example": keras_example}


def candidates(head: str) -> tuple[str, ...] | None:
    """Return the heads that `auto` or `auto(mean, gru(units=32))` compares; None for one head.

    Raises:
        ConfigError: No head is named, or one that does not exist.
    """
    if head_name(head) != AUTO:
        return None
    if head.strip() == AUTO:
        return CANDIDATES
    try:
        call = ast.parse(head.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.keywords or not call.args:
            raise ValueError("heads are listed")
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"head={head!r} cannot be read: write auto, or auto(mean, gru(units=32), ...)."
        ) from error
    names = tuple(dict.fromkeys(ast.unparse(argument) for argument in call.args))
    _require_heads(names)
    return names


def _require_heads(names: Iterable[str]) -> None:
    for name in names:
        parse_head(name)


def training_of(config: RunConfig, head: str) -> TrainingConfig:
    """Return the training settings of a head; with `auto`, its own with the given ones replaced."""
    if not config.compares_heads:
        return config.training
    given = {name: getattr(config.training, name) for name in config.given}
    return parse_head(head)[0].training.model_copy(update=given)


def run_config(
    preset: str = "default",
    *,
    features: Mapping[str, Any] | None = None,
    head: str | None = None,
    training: Mapping[str, Any] | None = None,
    split: Mapping[str, Any] | None = None,
    flip: bool = False,
    swap_labels: Mapping[str, str] | None = None,
    task: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Return the settings of a preset, with some replaced.

    Args:
        preset: Name of the preset.
        features: Fields of FeatureConfig, and of its sampling and geometry: `backbone`, `weights`,
            `precision`, `policy`, `frames`, `stride_s`, `views`, `seed`, `crop`, `size`,
            `short_side`.  Another backbone brings its own input size, unless `size` is given.
        head: Another head, with its own training settings; `auto` compares heads.
        training: Fields of TrainingConfig.
        split: Fields of SplitConfig.
        flip: Train on mirror images, too, and average the predictions of both.
        swap_labels: Pairs of labels that a mirror image exchanges.
        task: Fields of TaskConfig.

    Raises:
        ConfigError: A name or a value is not allowed.
    """
    base = PRESETS[require_choice("preset", preset, PRESETS)]()
    given = dict(training or {})
    views = _views(preset, base, features or {})
    head = head or base.head
    if candidates(head) is not None:
        schedule = TrainingConfig()
    elif head == base.head:
        schedule = base.training
    else:
        schedule = parse_head(head)[0].training
    return RunConfig.checked(
        features=views[0],
        more=tuple(views[1:]),
        flip=flip,
        swap_labels=dict(swap_labels or {}),
        head=head,
        training=TrainingConfig.checked(**(schedule.model_dump() | given)),
        given=tuple(sorted(given)),
        split=SplitConfig.checked(**(base.split.model_dump() | dict(split or {}))),
        task=TaskConfig.checked(**dict(task or {})),
    )


# Settings that differ between the views of a preset cannot be replaced in all of them.
_SINGLE_VIEW_ONLY = ("backbone", "weights", "size", "short_side", "crop")


def _views(preset: str, base: RunConfig, features: Mapping[str, Any]) -> list[FeatureConfig]:
    """Return the views of a preset, with some settings replaced."""
    if base.more:
        for name in _SINGLE_VIEW_ONLY:
            if name in features:
                raise ConfigError(
                    f"{name}={features[name]!r} cannot be chosen: preset {preset!r} averages "
                    f"{' and '.join(view.backbone for view in base.views)}. Leave it out, or take "
                    "another preset."
                )
    changes = dict(features)
    if "backbone" in changes:
        changes.setdefault("size", get_backbone(changes["backbone"]).size)
    return [_view(view, changes) for view in base.views]


def _view(view: FeatureConfig, changes: Mapping[str, Any]) -> FeatureConfig:
    sampling = {name: changes[name] for name in SamplingConfig.model_fields if name in changes}
    geometry = {name: changes[name] for name in ("crop", "size", "short_side") if name in changes}
    return FeatureConfig.checked(
        backbone=changes.get("backbone", view.backbone),
        weights=changes.get("weights", view.weights),
        precision=changes.get("precision", view.precision),
        sampling=SamplingConfig.checked(**(view.sampling.model_dump() | sampling)),
        geometry=GeometryConfig.checked(**(view.geometry.model_dump() | geometry)),
    )
