"""`vidclass data list` and `data get`: public data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.errors import ConfigError


def list_command() -> None:
    """List the public data sets that `vidclass data get` downloads."""
    from rich.table import Table

    from vidclass.cli.console import say, show
    from vidclass.datasets.catalogue import dataset_rows

    table = Table("name", "what")
    for column in ("classes", "clips", "size"):
        table.add_column(column, justify="right")
    terms = Table("name", "terms")
    for row in dataset_rows():
        table.add_row(*(row[name] for name in ("name", "title", "classes", "clips", "size")))
        terms.add_row(row["name"], row["terms"])
    show(table)
    show(terms)
    say("`vidclass data get NAME DIR` fetches one into the new folder DIR")


def get_command(
    name: Annotated[str, typer.Argument(help="A name from `vidclass data list`.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for the data set.")],
    base_url: Annotated[
        str | None, typer.Option(help="URL of a mirror: the folder with the archives.")
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FILE=]HASH",
            help="Expected SHA-256 of an archive; with FILE= if there are several archives.",
        ),
    ] = None,
) -> None:
    """Download and unpack a public data set; an interrupted download is continued."""
    from vidclass.cli.console import print_notes, progress_bars, say
    from vidclass.datasets.catalogue import datasets
    from vidclass.datasets.get import get_dataset

    with progress_bars() as progress:
        receipt = get_dataset(
            name,
            folder,
            base_url=base_url,
            sha256=_hashes(sha256 or []),
            progress=lambda step, done, total: progress(step, done, total or 0),
        )
    record = receipt.record
    announced = datasets[name].clips
    if receipt.clips != announced:
        print_notes([f"there are {receipt.clips} clips in it; {announced} are announced"])
    done = "is there already" if receipt.already_there else "is ready"
    say(f"{record.name} {done}: {receipt.folder} ({receipt.clips} clips, {record.files} files)")
    for archive in record.archives:
        say(f"archive: {archive.size_bytes} bytes, SHA-256 {archive.sha256}, from {archive.url}")
    for archive_path in receipt.kept_archives:
        say(f"the archive was kept: {archive_path}")


def _hashes(given: list[str]) -> str | dict[str, str]:
    """Parse hashes: one alone, or hashes by the names of archives."""
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    wrong = [text for text in given if "=" not in text]
    if wrong:
        raise ConfigError(f"sha256={wrong[0]!r} of which archive? Write FILE={wrong[0]}")
    pairs = (text.rpartition("=") for text in given)
    return {name: value for name, _, value in pairs}
