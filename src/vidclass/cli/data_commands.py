"""`vidclass data`: public data sets, and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.split_command import split_command


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Fetch public data sets; split clips without leaks.")
    group.command("list")(list_command)
    group.command("get")(get_command)
    group.command("split")(split_command)
    app.add_typer(group, name="data", no_args_is_help=True)


def list_command() -> None:
    """List the data sets that `vidclass data get` knows."""
    from rich.table import Table

    from vidclass.cli.output import show
    from vidclass.data.datasets import dataset_rows

    table = Table("name", "title", "classes", "clips", "size", "terms")
    for row in dataset_rows():
        table.add_row(
            *(row[name] for name in ("name", "title", "classes", "clips", "size", "terms"))
        )
    show(table)


def get_command(
    name: Annotated[str, typer.Argument(help="A name that `vidclass data list` shows.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for it.")],
    base_url: Annotated[
        str | None, typer.Option(help="A mirror: the address of the folder with the archive.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="What the archive must hash to.")] = None,
) -> None:
    """Download and unpack a public data set; a broken download is continued."""
    from vidclass.cli.output import progress_bars, say
    from vidclass.data.datasets import get_dataset

    with progress_bars() as progress:
        receipt = get_dataset(
            name,
            folder,
            base_url=base_url,
            sha256=sha256,
            progress=lambda step, done, total: progress(step, done, total or 0),
        )
    record = receipt.record
    done = "is there already" if receipt.already_there else "is ready"
    say(f"{record.name} {done}: {receipt.folder} ({record.files} files)")
    say(f"archive: {record.size_bytes} bytes, SHA-256 {record.sha256}, from {record.url}")
    if receipt.kept_archive is not None:
        say(f"the archive was kept: {receipt.kept_archive}")
