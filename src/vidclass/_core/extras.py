"""Optional libraries, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vidclass.errors import ConfigError


def require_extra(module: str, extra: str, *, needed_by: str) -> Any:
    """Import an optional library, or say how to install it.

    Args:
        module: Name of the module.
        extra: The extra of vidclass that installs it.
        needed_by: Feature that needs it, for the message.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise  # installed but broken: do not hide that
        raise ConfigError(
            f"{needed_by} needs {module}, which is not installed: pip install 'vidclass[{extra}]'"
        ) from error
