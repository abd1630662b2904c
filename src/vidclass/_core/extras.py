"""Libraries that only some commands need: imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vidclass.errors import ConfigError


def require_extra(module: str, extra: str, *, needed_by: str) -> Any:
    """Import an optional library, or say how to get it.

    Args:
        module: What is imported.
        extra: The extra of vidclass that has it.
        needed_by: What cannot be done without it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise  # it is installed, but broken: do not hide that
        raise ConfigError(
            f"{needed_by} needs {module}, which is not installed: pip install 'vidclass[{extra}]'"
        ) from error
