"""Base of all settings: immutable, and strict about names."""

from __future__ import annotations

from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
)

from vidclass.errors import ConfigError


class FrozenConfig(BaseModel):
    """Base of all settings: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Build from keywords; a wrong one raises ConfigError, in one line that names it."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(one_line(error)) from error


def one_line(error: ValidationError) -> str:
    """A pydantic error as one sentence a message: `name=value: what is wrong`."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'settings'}={item['input']!r}: "
        f"{item['msg']}"
        for item in error.errors()
    )


def without_defaults(
    config: FrozenConfig, handler: SerializerFunctionWrapHandler, *later: str
) -> dict[str, Any]:
    """Settings that came later are written only where they are set: fingerprints stay."""
    fields = type(config).model_fields
    return {
        name: value
        for name, value in handler(config).items()
        if name not in later or getattr(config, name) != fields[name].default
    }
