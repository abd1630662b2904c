"""Settings of the training of a head."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from vidclass.config.base import FrozenConfig
from vidclass.errors import ConfigError, require_choice

_AUGMENT = "augment."


class AugmentConfig(FrozenConfig):
    """Augmentation of the stored features of a training batch; 0 turns each one off.

    `mixup`: alpha of the Beta distribution from which a clip's share is drawn when it is mixed with
    another one (Zhang et al. 2018).
    `frame_drop`: the share of a clip's frames that are left out, at random; one stays at least.
    `jitter`: at most this share of a clip is cut off its ends; what is left is stretched to as many
    frames as before, each the nearest that is stored.
    `reverse`: the probability that a clip is played backwards.
    `reverse_labels`: the label of a reversed clip: `all` keeps every label, a map such as
    {"left": "right", "right": "left"} renames them; clips of other classes are not reversed.
    """

    mixup: Annotated[float, Field(ge=0)] = 0.0
    frame_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.0
    reverse: Annotated[float, Field(ge=0, le=1)] = 0.0
    reverse_labels: Literal["all"] | dict[str, str] | None = None

    @model_validator(mode="after")
    def _say_what_reversed_clips_are(self) -> Self:
        if self.reverse and not self.reverse_labels:
            raise ValueError(
                "`augment.reverse` needs `augment.reverse_labels`: 'all' if classes stay the "
                "same backwards, or "
                'a map such as {"left": "right", "right": "left"}'
            )
        if self.reverse_labels and not self.reverse:
            raise ValueError("`augment.reverse_labels` is used only with `augment.reverse` above 0")
        return self


class TrainingConfig(FrozenConfig):
    """Settings of the training of a head.

    `optimizer`: Adam, or stochastic gradient descent with Nesterov momentum of 0.9.
    `weight_decay`: decoupled, on everything but biases; Adam only.
    `cosine`: let the learning rate fall to zero along half a cosine over the epochs.
    `patience`: epochs without a better validation loss after which training stops; None trains
    all `epochs`.  The weights of the best epoch are kept either way.
    `refit`: once the best epoch is known, train anew on training and validation clips together,
    for as many epochs; otherwise the validation clips are never trained on.
    `balance_classes`: weigh classes by the inverse of their share when the largest has at least
    1.5 times as many clips as the smallest.
    `loss`: cross-entropy, or focal loss (Lin et al. 2017), in which a clip counts the less the
    surer the head is of it already: by (1 - p) to the power of `focal_gamma`.
    `ema`: momentum of an average of the weights over the steps of training, as in 0.99; the average
    is what is validated and kept.  None keeps the last weights themselves.
    `monitor`: the best epoch is that of the lowest validation loss, or of the highest macro-F1, the
    lower loss deciding between equals.
    `augment`: changes to the features of a batch.
    """

    epochs: Annotated[int, Field(ge=1)] = 60
    batch_size: Annotated[int, Field(ge=1)] = 32
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    cosine: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience: Annotated[int, Field(ge=1)] | None = None
    refit: bool = True
    balance_classes: bool = True
    seed: Annotated[int, Field(ge=0)] = 0
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    monitor: Literal["loss", "macro_f1"] = "loss"
    augment: AugmentConfig = AugmentConfig()

    @model_validator(mode="after")
    def _reject_idle(self) -> Self:
        default = type(self).model_fields["focal_gamma"].default
        if self.focal_gamma != default and self.loss != "focal":
            raise ValueError(f"focal_gamma={self.focal_gamma} is used only by loss='focal'")
        return self


def parse_training_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Parse texts `KEY=VALUE` into fields of TrainingConfig; the last text of a key counts.

    A value is JSON where it can be read so (`0.2`, `true`, `{"left": "right"}`), `none`, or a word.
    The configuration validates it.

    >>> parse_training_settings(["ema=0.99", "augment.mixup=0.2", "monitor=macro_f1"])
    {'ema': 0.99, 'augment': {'mixup': 0.2}, 'monitor': 'macro_f1'}

    Raises:
        ConfigError: A text has another form, or its key is not a field; the message names the
            nearest.
    """
    fields: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(
                f"settings={text!r} must be KEY=VALUE, as in ema=0.99; docs/how-to/training.md "
                "lists the keys."
            )
        require_choice("settings", key, training_setting_names())
        if key.startswith(_AUGMENT):
            fields.setdefault("augment", {})[key.removeprefix(_AUGMENT)] = _value(value.strip())
        else:
            fields[key] = _value(value.strip())
    return fields


def training_setting_names() -> list[str]:
    """Return every key of `parse_training_settings`; fields of `augment` have that in front."""
    plain = [name for name in TrainingConfig.model_fields if name != "augment"]
    return [*plain, *(_AUGMENT + name for name in AugmentConfig.model_fields)]


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
