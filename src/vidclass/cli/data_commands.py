"""`vidclass data`: public data sets, checks, and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.check_command import check_command
from vidclass.cli.options import AllowLeak, Root, Seed, Source


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Fetch public data sets; check clips; split them without leaks.")
    group.command("list")(list_command)
    group.command("get")(get_command)
    group.command("split")(split_command)
    group.command("check")(check_command)
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


def split_command(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.", show_default=False)],
    test: Annotated[float, typer.Option(min=0, max=0.9, help="Share of clips for test.")] = 0.2,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the rest for validation.")
    ] = 0.2,
    seed: Seed = 0,
    root: Root = None,
    allow_leak: AllowLeak = False,
) -> None:
    """Divide clips into train, validation and test without sharing a group, as a CSV."""
    from rich.table import Table

    from vidclass.cli.output import show, tell_notes
    from vidclass.data.manifest import Manifest
    from vidclass.data.splits import split_clips

    manifest = split_clips(
        Manifest.from_source(source, root=root, allow_leak=allow_leak),
        test_fraction=test,
        validation_fraction=validation,
        seed=seed,
        allow_leak=allow_leak,
    )
    manifest.write_csv(out)
    tell_notes(manifest.notes)
    table = Table("class", "train", "validation", "test")
    for label in manifest.labels:
        rows = manifest.table.filter(manifest.table["label"] == label)["split"].to_list()
        table.add_row(label, *(str(rows.count(name)) for name in ("train", "validation", "test")))
    show(table)
