"""`vidclass features`: list, check and remove stored features."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal

from vidclass.cli.options import Json, StoreFolder
from vidclass.errors import ConfigError

if TYPE_CHECKING:
    from vidclass.features.store.maintenance import StoredTable, TableCheck


def list_command(store_folder: StoreFolder = None, json_file: Json = None) -> None:
    """List the stored features: a row for each setting, most recently used first."""
    from vidclass.cli.console import say, write_json
    from vidclass.features.store.maintenance import stored_tables

    folder = _store(store_folder)
    tables = stored_tables(folder)
    if json_file is not None:
        rows = [_as_json(table) for table in tables]
        write_json(json_file, {"schema": 1, "store": str(folder), "tables": rows})
    if json_file != "-":
        _show(tables)
        say(f"{decimal(sum(table.size_bytes for table in tables))} in {folder}")


def verify_command(store_folder: StoreFolder = None) -> None:
    """Read every stored clip and report what is damaged; exit code 1 if anything is."""
    from vidclass.cli.console import say
    from vidclass.features.store.maintenance import stored_tables

    tables = stored_tables(_store(store_folder))
    checks = _check(tables)
    for check in checks:
        more = f" ({check.duplicates} stored twice)" if check.duplicates else ""
        say(f"{check.table.settings}: {check.intact} clips are whole{more}")
        for problem in check.problems:
            say(f"  damaged: {problem}")
    for table in tables:
        if not table.current:
            say(f"{table.settings}: not checked, of store format {table.format}")
    damaged = sum(bool(check.problems) for check in checks)
    say(f"{len(checks) - damaged} of {len(checks)} tables are whole")
    if damaged:
        say("`vidclass features prune --damaged` removes what is damaged: extract it again")
        raise typer.Exit(1)


def prune_command(
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than",
            metavar="DAYS",
            min=0,
            help="Remove features that were not used for this many days.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            help="Remove features of this setting; the beginning of its fingerprint is enough.",
        ),
    ] = None,
    damaged: Annotated[
        bool,
        typer.Option(
            "--damaged", help="Remove tables that `vidclass features verify` reports as damaged."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    store_folder: StoreFolder = None,
) -> None:
    """Remove stored features, and the leftovers of killed processes."""
    from vidclass._core.text import counted
    from vidclass.cli.console import say
    from vidclass.features.store.maintenance import (
        leftovers,
        remove,
        size_of,
        stored_tables,
        tables_of_settings,
    )

    if older_than is None and not settings and not damaged:
        raise ConfigError(
            "nothing was chosen: give --older-than DAYS, --settings FINGERPRINT or --damaged"
        )
    folder = _store(store_folder)
    tables = stored_tables(folder)
    chosen = {
        table.path: table for name in settings or () for table in tables_of_settings(tables, name)
    }
    if older_than is not None:
        until = datetime.now(UTC) - timedelta(days=older_than)
        chosen |= {table.path: table for table in tables if table.last_used <= until}
    if damaged:
        broken = [check.table for check in _check(tables) if check.problems]
        chosen |= {table.path: table for table in broken}
    rest = leftovers(folder)
    if not chosen and not rest:
        say("there is nothing to remove")
        return
    if chosen:
        _show(list(chosen.values()))
    if rest:
        say(f"{counted(len(rest), 'leftover')} of processes that were killed")
    size = decimal(sum(map(size_of, [*chosen, *rest])))
    if not yes:
        typer.confirm(f"Remove these for good and free {size}?", abort=True, err=True)
    remove([*chosen, *rest])
    say(f"{size} freed")


def _store(store_folder: Path | None) -> Path:
    from vidclass.features.store.store import default_store_folder

    return store_folder or default_store_folder()


def _check(tables: list[StoredTable]) -> list[TableCheck]:
    from vidclass.cli.console import progress_bars
    from vidclass.features.store.maintenance import verify_table

    with progress_bars() as progress:
        return [verify_table(table, progress) for table in tables if table.current]


def _show(tables: list[StoredTable]) -> None:
    from rich.table import Table

    from vidclass.cli.console import show

    view = Table()
    for column in ("settings", "backbone"):
        view.add_column(column, no_wrap=True)
    view.add_column("frames")
    for column in ("clips", "size", "last used"):
        view.add_column(column, justify="right", no_wrap=column != "clips")
    for table in tables:
        clips = "damaged" if table.clips is None else str(table.clips)
        view.add_row(
            table.settings[:8],
            str(table.config.get("backbone", "?")),
            _frames(table.config),
            clips if table.current else f"format {table.format}",
            decimal(table.size_bytes),
            f"{table.last_used.astimezone():%Y-%m-%d}",
        )
    show(view)


def _frames(config: dict[str, Any]) -> str:
    """Summarise frames, geometry and other settings in one line; `?` if nothing is known."""
    sampling, geometry = (
        value if isinstance(value, dict) else {}
        for value in (config.get("sampling"), config.get("geometry"))
    )
    views = f"in {sampling['views']} views" if "views" in sampling else None
    words = [sampling.get("frames"), views, sampling.get("policy"), geometry.get("size")]
    words += [geometry.get("crop"), config.get("precision"), config.get("weights")]
    return " ".join(str(word) for word in words if word not in (None, "pretrained")) or "?"


def _as_json(table: StoredTable) -> dict[str, Any]:
    return {
        "settings": table.settings,
        "path": str(table.path),
        "format": table.format,
        "config": table.config,
        "clips": table.clips,
        "bytes": table.size_bytes,
        "last_used": table.last_used.isoformat(timespec="seconds"),
    }
