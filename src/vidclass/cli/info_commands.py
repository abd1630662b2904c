"""Commands that show what there is: backbones, heads."""

from __future__ import annotations

import typer

from vidclass.cli.backbones_command import backbones_command


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backbones")(backbones_command)
    app.command("heads")(heads_command)


def heads_command() -> None:
    """List the models over time."""
    from inspect import getdoc

    from rich.table import Table

    from vidclass.cli.output import show
    from vidclass.heads.registry import heads
    from vidclass.training.recipes import DEFAULT_HEAD

    table = Table("name", "what it is")
    for name, build in heads().items():
        first = (getdoc(build) or "").splitlines()[0]
        table.add_row(f"{name} (default)" if name == DEFAULT_HEAD else name, first)
    show(table)
