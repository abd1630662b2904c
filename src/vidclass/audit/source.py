"""Read a source without refusing what an audit is there to report."""

from __future__ import annotations

from pathlib import Path

from vidclass.data import checks
from vidclass.data.groups import fill_groups
from vidclass.data.manifest import Manifest
from vidclass.data.sources import read_source


def read_for_check(source: str | Path, *, root: str | Path | None = None) -> Manifest:
    """As `Manifest.from_source`, but leaks, contradictory and unknown labels are let through.

    Args:
        source: What to read.
        root: Where a table's relative paths start, if not beside the table.

    Raises:
        ManifestError: the source cannot be read as a list of clips at all.
    """
    rows = fill_groups(checks.drop_duplicates(read_source(source, root=root)))
    rows = checks.note_missing_files(rows, source)
    return Manifest(rows.table, rows.notes)
