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
from vidclass.audit.inspection import ClipLook
from vidclass.audit.issues import Finding
from vidclass.audit.run import MOST_OF_FINDING, MOST_OF_SET, MOST_SETS, MOST_SUSPECTS, Audit
from vidclass.audit.thumbnails import STRIP_FRAMES, sheet_rows
from vidclass.errors import ConfigError

SCHEMA = 1


def as_json(audit: Audit) -> dict[str, Any]:
    """Everything but the pictures; clips are named by their paths."""
    videos = audit.manifest.table["video"].to_list()

    def named(rows: Iterable[int]) -> list[str]:
        return [videos[row] for row in rows]

    return {
        "schema": SCHEMA,
        "deep": audit.deep,
        "clips": len(audit.looks),
        "ok": audit.ok,
        "failed": len(audit.failures),
        "duration_s": round(sum(look.duration_s for look in audit.looks), 3),
        "groups": audit.manifest.table["group"].drop_nulls().n_unique(),
        "notes": list(audit.manifest.notes),
        "not_looked_at": list(audit.not_looked_at),
        "findings": [
            {**asdict(finding), "rows": list(finding.rows), "videos": named(finding.rows)}
            for finding in audit.findings
        ],
        "classes": [asdict(fact) for fact in audit.classes],
        "properties": {
            one.name: [asdict(value) for value in one.values] for one in audit.properties
        },
        "duplicates": [
            {**asdict(one), "videos": named(one.rows)} for one in audit.duplicates
        ],
        "agreement": audit.agreement,
        "suspects": [{**asdict(one), "video": videos[one.row]} for one in audit.suspects],
        "failures": [asdict(failure) for failure in audit.failures],
        "ledger": [
            {**asdict(entry.failure), "readable_now": not entry.now, "now": entry.now}
            for entry in audit.ledger
        ],
        "videos": [_look(row, look, audit) for row, look in enumerate(audit.looks)],
    }  # fmt: skip


def _look(row: int, look: ClipLook, audit: Audit) -> dict[str, Any]:
    """One clip: where it stands in the table, and what its file holds."""
    clip = audit.manifest.table.row(row, named=True)
    facts: dict[str, Any] = {name: clip[name] for name in ("video", "label", "start_s", "stop_s")}
    facts |= {"duration_s": look.duration_s, "frames": look.frames, "looked_at": look.looked_at}
    facts |= {"black": look.black, "frozen": look.frozen}
    info = None if look.info is None else asdict(look.info)
    if info is not None:
        del info["path"]
    return {**facts, "readable": look.failure is None, "file": info}


MOST_LISTED = 100
_BINS = 24
# Where values are further apart than this, the bins of a histogram grow with them.
_WIDE = 20.0


def write_page(path: Path, audit: Audit, *, source: str) -> None:
    """Write everything found, with contact sheets, as one HTML file without scripts.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        write_text(path, page_of(audit, source=source))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def page_of(audit: Audit, *, source: str) -> str:
    """The page; every name in it is escaped."""
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
        "findings": [_shown(finding, tiles) for finding in audit.findings],
        "duplicates": [
            (one, [tiles[row] for row in one.rows[:MOST_OF_SET]])
            for one in audit.duplicates[:MOST_SETS]
        ],
        "harmless": sum(not one.across for one in audit.duplicates),
        "suspects": [(one, tiles[one.row]) for one in audit.suspects[:MOST_SUSPECTS]],
        "largest": max((fact.clips for fact in audit.classes), default=1),
        "splits": _splits(audit),
        "histograms": _histograms(audit),
        "sheets": [
            (label, [tiles[row] for row in rows])
            for label, rows in sheet_rows(audit.manifest).items()
        ],
        "clips_of": {fact.label: fact.clips for fact in audit.classes},
        "strip_frames": STRIP_FRAMES,
        "ledger": _ledger(audit),
        "most_listed": MOST_LISTED,
    }
    return environment.get_template("check.html").render(**values)


@dataclass(frozen=True)
class Tile:
    """A clip as shown: its file's name and path, label, group and side, picture, or why none."""

    name: str
    path: str
    label: str
    where: str
    picture: str
    trouble: str


def _tiles(audit: Audit) -> list[Tile]:
    rows = audit.manifest.table.select("video", "label", "group", "split").rows()
    return [
        Tile(
            PurePath(video).name,
            video,
            label,
            ", ".join(filter(None, (group and f"group {group}", split))),
            _embedded(look.strip),
            look.failure.message.removeprefix(f"{video}: ") if look.failure else "",
        )
        for (video, label, group, split), look in zip(rows, audit.looks, strict=True)
    ]


def _embedded(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""


def _shown(finding: Finding, tiles: Sequence[Tile]) -> dict[str, Any]:
    """A finding with its clips: the first as pictures, more of them by name."""
    section = ""
    if "duplicates" in finding.kind:
        section = "duplicates"
    elif finding.kind == "suspected_labels":
        section = "suspects"
    details = finding.details if len(finding.details) == len(finding.rows) else ()
    listed = [
        (tiles[row], details[number] if details else "")
        for number, row in enumerate(finding.rows[:MOST_LISTED])
    ]
    return {
        "finding": finding,
        "section": section,
        "pictured": [] if section else [c for c in listed[:MOST_OF_FINDING] if c[0].picture],
        "listed": [] if section else listed,
        "more": len(finding.rows) - len(listed),
        "lines": () if finding.rows else finding.details,
    }


def _figures(audit: Audit) -> list[tuple[str, str]]:
    table = audit.manifest.table
    groups = table["group"].drop_nulls().n_unique()
    lengths = [look.duration_s for look in audit.looks if look.failure is None]
    counts = {"clip": len(table), "file": table["video"].n_unique(), "class": len(audit.classes)}
    numbers = [counted(count, noun).split(" ") for noun, count in counts.items()]
    return [
        *((number, noun) for number, noun in numbers),
        (str(groups or "?"), "group" if groups == 1 else "groups"),
        (_seconds(sum(lengths)), "in all"),
        (_seconds(statistics.median(lengths)) if lengths else "–", "median length"),
        (str(len(audit.failures)), "not readable"),
    ]


def _splits(audit: Audit) -> list[str]:
    held: defaultdict[str, int] = defaultdict(int)
    for fact in audit.classes:
        for name, count in fact.splits.items():
            held[name] += count
    return [name for name, count in held.items() if count]


def _histograms(audit: Audit) -> list[dict[str, Any]]:
    looks = [look for look in audit.looks if look.failure is None and look.info is not None]
    rates = {look.info.path: look.info.fps for look in looks if look.info is not None}
    pairs = [
        ("Length of clips, seconds", [look.duration_s for look in looks]),
        ("Frames a second, files", list(rates.values())),
    ]
    return [_histogram(title, values) for title, values in pairs if values]


def _histogram(title: str, values: Sequence[float]) -> dict[str, Any]:
    """Bars as shares of the highest one, with the borders of the axis."""
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


def _ledger(audit: Audit) -> list[tuple[str, list[Any]]]:
    """The entries by cause, the most frequent first."""
    causes: defaultdict[str, list[Any]] = defaultdict(list)
    for entry in audit.ledger:
        causes[entry.failure.cause].append(entry)
    return sorted(causes.items(), key=lambda item: -len(item[1]))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(seconds: float) -> str:
    """A length as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
