"""`vidclass heads`: the models over time, and their sizes."""

from __future__ import annotations

from typing import Annotated

import typer


def heads_command(
    frames: Annotated[int, typer.Option(min=1, help="Frames per clip.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="Features per frame.")] = 1280,
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
) -> None:
    """List the models over time, with their size for given frames, features and classes."""
    from rich.table import Table

    from vidclass.cli.console import say, show
    from vidclass.heads.cost import multiplications, parameters
    from vidclass.heads.registry import heads
    from vidclass.training.presets import CANDIDATES

    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("description")
    for heading in ("parameters", "multiplications per clip"):
        table.add_column(heading, justify="right")
    table.add_column("causal")
    table.add_column("settings")
    for name, head in heads().items():
        model = head.build(frames, width, classes)
        table.add_row(
            f"{name} *" if name in CANDIDATES else name,
            head.summary,
            f"{parameters(model):,}",
            f"{multiplications(model):,}",
            "yes" if head.causal else "no",
            ", ".join(f"{key}={value}" for key, value in head.settings.items()),
        )
    show(table)
    say("* compared by --head auto, the default")
