"""Reports of an audit: the JSON record and a self-contained HTML page."""

from __future__ import annotations

import base64
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from vidclass._core.files import write_text
from vidclass._core.text import counted
from vidclass.audit.inspection import ClipInspection, LedgerEntry
from vidclass.audit.run import (
    MOST_LABEL_ISSUES,
    MOST_PER_ISSUE,
    MOST_PER_SET,
    MOST_SETS,
    Audit,
)
from vidclass.audit.thumbnails import THUMBNAIL_FRAMES, contact_sheet_rows
from vidclass.data.checks import Issue
from vidclass.errors import ConfigError

SCHEMA = 1
MOST_LISTED = 100
_BINS = 24
# Largest ratio of values that get bins of equal width; beyond it the bins grow with the values.
_WIDE = 20.0


def as_json(audit: Audit) -> dict[str, Any]:
    """Return the stable JSON shape of an audit, without images; clips are named by their paths."""
    videos = audit.manifest.table["video"].to_list()

    def names(rows: Iterable[int]) -> list[str]:
        return [videos[row] for row in rows]

    return {
        "schema": SCHEMA,
        "deep": audit.deep,
        "clips": len(audit.inspections),
        "ok": audit.ok,
        "failed": len(audit.failures),
        "duration_s": round(sum(each.duration_s for each in audit.inspections), 3),
        "groups": audit.manifest.table["group"].drop_nulls().n_unique(),
        "notes": list(audit.manifest.notes),
        "skipped": list(audit.skipped),
        "issues": [
            {**asdict(issue), "rows": list(issue.rows), "videos": names(issue.rows)}
            for issue in audit.issues
        ],
        "classes": [asdict(each) for each in audit.classes],
        "properties": {
            each.name: [asdict(value) for value in each.values] for each in audit.properties
        },
        "duplicates": [{**asdict(each), "videos": names(each.rows)} for each in audit.duplicates],
        "agreement": audit.agreement,
        "label_issues": [
            {**asdict(issue), "video": videos[issue.row]} for issue in audit.label_issues
        ],
        "failures": [asdict(failure) for failure in audit.failures],
        "ledger": [
            {**asdict(entry.failure), "readable_now": not entry.now, "now": entry.now}
            for entry in audit.ledger
        ],
        "videos": [_clip_json(row, each, audit) for row, each in enumerate(audit.inspections)],
    }


def _clip_json(row: int, inspection: ClipInspection, audit: Audit) -> dict[str, Any]:
    """Return the row of the table and the properties of the file of one clip."""
    clip = audit.manifest.table.row(row, named=True)
    info = None if inspection.info is None else asdict(inspection.info)
    if info is not None:
        del info["path"]
    return {
        **{name: clip[name] for name in ("video", "label", "start_s", "stop_s")},
        "duration_s": inspection.duration_s,
        "frames": inspection.frames,
        "inspected_frames": inspection.inspected_frames,
        "black": inspection.black,
        "frozen": inspection.frozen,
        "readable": inspection.failure is None,
        "file": info,
    }


def write_page(path: Path, audit: Audit, *, source: str) -> None:
    """Write the audit with contact sheets as one HTML file without scripts.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        write_text(path, render_page(audit, source=source))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def render_page(audit: Audit, *, source: str) -> str:
    """Return the page as HTML; every name in it is escaped."""
    environment = Environment(
        loader=PackageLoader("vidclass", "audit/pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "seconds": _seconds}
    tiles = _tiles(audit)
    values: dict[str, Any] = {
        "source": source,
        "audit": audit,
        "figures": _figures(audit),
        "issues": [_issue_values(issue, tiles) for issue in audit.issues],
        "duplicates": [
            (each, [tiles[row] for row in each.rows[:MOST_PER_SET]])
            for each in audit.duplicates[:MOST_SETS]
        ],
        "harmless": sum(not each.across for each in audit.duplicates),
        "label_issues": [
            (issue, tiles[issue.row]) for issue in audit.label_issues[:MOST_LABEL_ISSUES]
        ],
        "largest": max((each.clips for each in audit.classes), default=1),
        "splits": _splits(audit),
        "histograms": _histograms(audit),
        "sheets": [
            (label, [tiles[row] for row in rows])
            for label, rows in contact_sheet_rows(audit.manifest.table["label"].to_list()).items()
        ],
        "clips_by_class": {each.label: each.clips for each in audit.classes},
        "thumbnail_frames": THUMBNAIL_FRAMES,
        "ledger": _ledger_by_cause(audit),
        "most_listed": MOST_LISTED,
    }
    return environment.get_template("check.html").render(**values)


@dataclass(frozen=True)
class Tile:
    """A clip on the page.

    Attributes:
        name: Name of its file.
        path: Path of its file.
        label: Its label.
        side: Its group and split; may be empty.
        thumbnail: Thumbnail as a data URL; may be empty.
        failure: Why it cannot be read; empty if it can.
    """

    name: str
    path: str
    label: str
    side: str
    thumbnail: str
    failure: str


def _tiles(audit: Audit) -> list[Tile]:
    rows = audit.manifest.table.select("video", "label", "group", "split").rows()
    return [
        Tile(
            PurePath(video).name,
            video,
            label,
            ", ".join(filter(None, (group and f"group {group}", split))),
            _data_url(each.thumbnail),
            f"{each.failure.cause}. {each.failure.hint}".strip() if each.failure else "",
        )
        for (video, label, group, split), each in zip(rows, audit.inspections, strict=True)
    ]


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""


def _issue_values(issue: Issue, tiles: Sequence[Tile]) -> dict[str, Any]:
    """Return an issue with its clips: the first with thumbnails, more of them by name."""
    section = ""
    if "duplicates" in issue.kind:
        section = "duplicates"
    elif issue.kind == "label_issues":
        section = "label_issues"
    details = issue.details if len(issue.details) == len(issue.rows) else ()
    clips = [
        (tiles[row], details[index] if details else "")
        for index, row in enumerate(issue.rows[:MOST_LISTED])
    ]
    return {
        "issue": issue,
        "section": section,
        "tiles": [] if section else [clip for clip in clips[:MOST_PER_ISSUE] if clip[0].thumbnail],
        "names": [] if section else clips,
        "more": len(issue.rows) - len(clips),
        "lines": () if issue.rows else issue.details,
    }


def _figures(audit: Audit) -> list[tuple[str, str]]:
    """Return the numbers at the top of the page, each with its noun."""
    table = audit.manifest.table
    groups = table["group"].drop_nulls().n_unique()
    durations_s = [each.duration_s for each in audit.inspections if each.failure is None]
    counts = {"clip": len(table), "file": table["video"].n_unique(), "class": len(audit.classes)}
    numbers = [counted(count, noun).split(" ") for noun, count in counts.items()]
    return [
        *((number, noun) for number, noun in numbers),
        (str(groups or "?"), "group" if groups == 1 else "groups"),
        (_seconds(sum(durations_s)), "in all"),
        (_seconds(statistics.median(durations_s)) if durations_s else "–", "median length"),
        (str(len(audit.failures)), "not readable"),
    ]


def _splits(audit: Audit) -> list[str]:
    """Return the given splits that have clips."""
    counts: defaultdict[str, int] = defaultdict(int)
    for each in audit.classes:
        for name, count in each.splits.items():
            counts[name] += count
    return [name for name, count in counts.items() if count]


def _histograms(audit: Audit) -> list[dict[str, Any]]:
    readable = [each for each in audit.inspections if each.failure is None]
    rates = {each.info.path: each.info.fps for each in readable if each.info is not None}
    values_by_title = {
        "Length of clips, seconds": [each.duration_s for each in readable],
        "Frames a second, files": list(rates.values()),
    }
    return [histogram(title, values) for title, values in values_by_title.items() if values]


def histogram(title: str, values: Sequence[float]) -> dict[str, Any]:
    """Return bars as shares of the highest one, and the marks of the axis."""
    low, high = min(values), max(values)
    if high > low:
        space = np.geomspace if low > 0 and high / low > _WIDE else np.linspace
        edges = space(low, high, _BINS + 1)
    else:
        edges = np.array([low - 0.5, low + 0.5])
    counts, edges = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    bars = [
        {"share": float(count / counts.max()), "title": f"{start:.3g} to {stop:.3g}: {count}"}
        for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    middle = edges[len(edges) // 2]
    marks = [f"{low:.3g}", f"{middle:.3g}", f"{high:.3g}"] if high > low else [f"{low:.3g}"]
    return {"title": title, "bars": bars, "marks": marks}


def _ledger_by_cause(audit: Audit) -> list[tuple[str, list[LedgerEntry]]]:
    """Return the entries by cause, the most frequent cause first."""
    entries_by_cause: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in audit.ledger:
        entries_by_cause[entry.failure.cause].append(entry)
    return sorted(entries_by_cause.items(), key=lambda item: -len(item[1]))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
