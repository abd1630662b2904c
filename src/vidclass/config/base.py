"""Base class of all settings: frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from vidclass.errors import ConfigError


class FrozenConfig(BaseModel):
    """Base class of all settings: frozen pydantic models that refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Return the settings with these values.

        Raises:
            ConfigError: A value is not allowed; the message names each in one line.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(one_line(error)) from error


def one_line(error: ValidationError) -> str:
    """Return a pydantic error in one line: `name=value: message` for each wrong value.

    The message of a combination that is not allowed names its values itself.
    """
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{name}={item['input']!r}: {message}" if name else message)
    return "; ".join(lines)
