"""Options that several commands share as one parameter: a dataclass, for Typer its fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints


class OptionGroup:
    """Base of frozen dataclasses of which each field is an option with a default."""


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command of whose parameters each `OptionGroup` becomes the options in it for Typer."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, given in signature.parameters.items():
        if isinstance(given.annotation, type) and issubclass(given.annotation, OptionGroup):
            groups[name] = given.annotation
            parameters += _options(given.annotation)
        else:
            parameters.append(given.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def run(**given: Any) -> None:
        filled = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**filled, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {given.name: given.annotation for given in parameters}
    return run


def _options(group: type[Any]) -> list[inspect.Parameter]:
    """The fields of a group as parameters."""
    kinds = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=kinds[field.name],
        )
        for field in fields(group)
    ]
