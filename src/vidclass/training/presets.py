"""Presets: named settings of whole runs, and of the training of each head."""

from __future__ import annotations

import ast
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
from vidclass.errors import ConfigError, require_choice
from vidclass.heads.registry import head_name, heads, parse_head

DEFAULT_BACKBONE = "efficientnet_lite0"
AUTO = "auto"
# What `auto` compares: what each adds to the one before it, and one that is not linear.
CANDIDATES = ("mean", "mean_std", "temporal", "prototype", "bigru")
# The one to take where nothing can be compared.
DEFAULT_HEAD = "temporal"


def keras_example() -> RunConfig:
    """The Keras example: first 20 frames, InceptionV3 at 224 pixels, GRU, 10 epochs."""
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
    """EfficientNet-Lite0 on 20 evenly spaced frames, and the head that suits the clips."""
    return RunConfig(features=FeatureConfig(backbone=DEFAULT_BACKBONE), head=AUTO)


def accurate() -> RunConfig:
    """EfficientNet-Lite2 and Lite1 on 32 frames each, averaged: about six times the work."""
    lite2, lite1 = (
        FeatureConfig(
            backbone=f"efficientnet_{name}",
            sampling=SamplingConfig(frames=32),
            # The part of a frame that these networks' own evaluation crops, and a little more.
            geometry=GeometryConfig(size=size, short_side=short_side),
        )
        for name, size, short_side in (("lite2", 260, 300), ("lite1", 240, 276))
    )
    return RunConfig(features=lite2, more=(lite1,), head=AUTO)


PRESETS = {"default": default, "accurate": accurate, "keras-example": keras_example}


def candidates(head: str) -> tuple[str, ...] | None:
    """The heads that `auto` or `auto(mean, gru(units=32))` compares; None for one head's name.

    Raises:
        ConfigError: it names no head, or one that does not exist.
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
    named = tuple(dict.fromkeys(ast.unparse(argument) for argument in call.args))
    for name in named:
        parse_head(name)
    return named


def training_of(config: RunConfig, head: str) -> TrainingConfig:
    """How a head is fitted in a run: where `auto` chose it, its own settings and what was given."""
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
        features: `backbone`, `weights`, `precision`, `policy`, `frames`, `stride_s`, `views`,
            `seed` (of the policy `random`), `crop`, `size`, `short_side`.  Another backbone brings
            its own input size, unless `size` is given.
        head: Another head; it brings its own training settings.  `auto` compares heads.
        training: Fields of TrainingConfig.
        split: Fields of SplitConfig.
        flip: Learn from mirror images too, and answer with the mean of both.
        swap_labels: The labels that a mirror image exchanges, each pair once.
        task: Fields of TaskConfig.

    Raises:
        ConfigError: a name or a value is not allowed.
    """
    base = PRESETS[require_choice("preset", preset, PRESETS)]()
    wanted, given = dict(features or {}), dict(training or {})
    views = [_view(preset, base, view, wanted) for view in base.views]
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


# What tells the views of a preset apart cannot be one for all of them.
_OF_ONE_VIEW = ("backbone", "weights", "size", "short_side", "crop")


def _view(
    preset: str, base: RunConfig, view: FeatureConfig, wanted: Mapping[str, Any]
) -> FeatureConfig:
    """One view of a preset, with what is wanted of it."""
    fixed = [name for name in _OF_ONE_VIEW if name in wanted and base.more]
    if fixed:
        raise ConfigError(
            f"{fixed[0]}={wanted[fixed[0]]!r} cannot be chosen: preset {preset!r} averages "
            f"{' and '.join(each.backbone for each in base.views)}. Leave it out, or take another "
            "preset."
        )
    wanted = dict(wanted)
    if "backbone" in wanted:
        wanted.setdefault("size", get_backbone(wanted["backbone"]).size)
    return FeatureConfig.checked(
        backbone=wanted.get("backbone", view.backbone),
        weights=wanted.get("weights", view.weights),
        precision=wanted.get("precision", view.precision),
        sampling=_changed(view.sampling, wanted, set(SamplingConfig.model_fields)),
        geometry=_changed(view.geometry, wanted, set(GeometryConfig.model_fields) - {"mirror"}),
    )


def _changed(config: Any, wanted: Mapping[str, Any], names: set[str]) -> Any:
    changes = {name: value for name, value in wanted.items() if name in names}
    return type(config).checked(**(config.model_dump() | changes))
