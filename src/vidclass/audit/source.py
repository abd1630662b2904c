"""Read a source without refusing what an audit is there to report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidclass.data import checks
from vidclass.data.groups import fill_groups
from vidclass.data.manifest import Manifest
from vidclass.data.sources import read_source


def read_for_check(source: str | Path, **options: Any) -> Manifest:
    """As `Manifest.from_source`, but leaks, contradictory and unknown labels are let through.

    Args:
        source: What to read.
        options: Those of `vidclass.data.sources.read_source`.

    Raises:
        ManifestError: the source cannot be read as a list of clips at all.
        ConfigError: an option is not allowed.
    """
    rows = read_source(source, **options)
    if options.get("multi_label"):
        rows = checks.join_labels(rows)
    rows = checks.note_missing_files(fill_groups(checks.drop_duplicates(rows)), source)
    return Manifest(rows.table, rows.notes)
