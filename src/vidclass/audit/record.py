"""The stable JSON shape of an audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from vidclass.audit.model import ClipLook
from vidclass.audit.run import Audit

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
            {**asdict(entry.failure), "cause": entry.cause, "readable_now": not entry.now,
             "now": entry.now}
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
