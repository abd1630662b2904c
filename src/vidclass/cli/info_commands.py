"""Commands that show what there is: backbones, heads."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backbones")(backbones_command)
    app.command("heads")(heads_command)


def backbones_command() -> None:
    """List the pretrained networks that frames can go through."""
    from rich.table import Table

    from vidclass.backbones.registry import backbones
    from vidclass.cli.output import show

    table = Table("name")
    for column in ("input", "features", "parameters"):
        table.add_column(column, justify="right")
    table.add_column("weights")
    for backbone in backbones.values():
        size = f"{backbone.size}x{backbone.size}"
        parameters = f"{backbone.parameters / 1e6:.1f} M"
        table.add_row(backbone.name, size, str(backbone.width), parameters, backbone.weights_state)
    show(table)


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
