"""What a run can be told: frozen models in which an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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


class SamplingConfig(FrozenConfig):
    """How many frames of a clip are used, and which.

    `uniform`: the mid-points of `frames` equal parts of the clip.
    `head`: the first `frames` frames of the clip, as the Keras example does.
    `stride`: one frame every `stride_s` seconds, at most `frames` of them.

    A clip with fewer frames than asked for gives each of its frames once.
    """

    policy: Literal["uniform", "head", "stride"] = "uniform"
    frames: Annotated[int, Field(ge=1, le=4096)] = 20
    stride_s: Annotated[float, Field(gt=0)] = 0.2

    @model_validator(mode="before")
    @classmethod
    def _reject_idle_stride(cls, data: Any) -> Any:
        if isinstance(data, dict) and "stride_s" in data and data.get("policy") != "stride":
            default = cls.model_fields["stride_s"].default
            if data["stride_s"] != default:
                raise ValueError("stride_s is used only by policy='stride'")
        return data


class GeometryConfig(FrozenConfig):
    """How a frame becomes a square picture of `size` pixels a side.

    `centre`: the largest centred square, resized (the Keras example).
    `whole`: the whole frame squeezed to the square, nothing cut off.
    """

    crop: Literal["centre", "whole"] = "centre"
    size: Annotated[int, Field(ge=8, le=4096)] = 224
