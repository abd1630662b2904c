"""The SOURCE of labelled clips on the command line, with the options that tell how to read it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vidclass.data.manifest import Manifest

Argument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder with one sub-folder per class, a CSV/TSV/JSONL/Parquet file, or the lists "
        "or annotations of another tool (docs/how-to/sources.md).",
        show_default=False,
    ),
]
# Added to every command that takes a SOURCE: the type and the help of each option.  Their names
# are those of `Manifest.from_source`.
OPTIONS: dict[str, tuple[Any, Any]] = {
    "root": (
        Path | None,
        typer.Option(help="Folder of the videos, if they are not beside the list."),
    ),
    "format": (
        str | None,
        typer.Option(help="The kind of source, if it is not recognised (docs/how-to/sources.md)."),
    ),
    "official_split": (
        int | None,
        typer.Option(min=1, help="Which official split of UCF101 or HMDB51.  [default: 1]"),
    ),
    "labels": (Path | None, typer.Option(help="File of class names, for lists of numbers.")),
    "fps": (
        float | None,
        typer.Option(help="Frames a second of folders of pictures, or of annotations by frame."),
    ),
    "multi_label": (
        bool | None,
        typer.Option("--multi-label", help="Rows of the same clip give it several labels."),
    ),
}


@dataclass(frozen=True)
class Source:
    """A SOURCE as it was given; nothing is read before `manifest`."""

    path: str
    options: dict[str, Any]

    def manifest(self, **more: Any) -> Manifest:
        """The labelled clips; `more` are further arguments of `Manifest.from_source`.

        Raises:
            ManifestError: the source cannot be used.
        """
        from vidclass.data.manifest import Manifest

        return Manifest.from_source(self.path, **more, **self.given())

    def given(self) -> dict[str, Any]:
        """The options that were given, by their names in `Manifest.from_source`."""
        return {name: value for name, value in self.options.items() if value is not None}


def takes_source(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `source: Source` becomes SOURCE and `OPTIONS` for Typer."""
    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        given.replace(annotation=Argument) if name == "source" else given
        for name, given in signature.parameters.items()
    ]
    parameters += [
        inspect.Parameter(name, kind, default=None, annotation=Annotated[type_, option])
        for name, (type_, option) in OPTIONS.items()
    ]

    def run(**given: Any) -> None:
        options = {name: given.pop(name) for name in OPTIONS}
        command(source=Source(given.pop("source"), options), **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {given.name: given.annotation for given in parameters}
    return run
