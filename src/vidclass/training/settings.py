"""Settings of training as text: `ema=0.99`, `augment.mixup=0.2`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from vidclass.config import AugmentConfig, TrainingConfig
from vidclass.errors import ConfigError, require_choice

_SECTION = "augment."


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE` options say, as fields of TrainingConfig; the last of a key counts.

    A value is JSON where it can be read so (`0.2`, `true`, `{"left": "right"}`), `none`, or a word.
    Whether it is allowed is seen when the configuration is made.

    >>> parse_settings(["ema=0.99", "augment.mixup=0.2", "monitor=macro_f1"])
    {'ema': 0.99, 'augment': {'mixup': 0.2}, 'monitor': 'macro_f1'}

    Raises:
        ConfigError: a text is not of that form, or its key is no field; the message names the
            nearest.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(
                f"--set {text!r} must be KEY=VALUE, as in --set ema=0.99; docs/how-to/training.md "
                "lists the keys."
            )
        require_choice("--set", key, setting_names())
        if key.startswith(_SECTION):
            found.setdefault("augment", {})[key.removeprefix(_SECTION)] = _value(value.strip())
        else:
            found[key] = _value(value.strip())
    return found


def setting_names() -> list[str]:
    """Every key: the fields of TrainingConfig, those of `augment` with that in front."""
    plain = [name for name in TrainingConfig.model_fields if name != "augment"]
    return [*plain, *(_SECTION + name for name in AugmentConfig.model_fields)]


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
