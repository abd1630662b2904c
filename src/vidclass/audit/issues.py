"""Issues of an audit: the table, unreadable, black, frozen, long and short clips, wrong labels."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from vidclass._core.text import counted
from vidclass.audit.inspection import ClipInspection
from vidclass.data.checks import (
    Issue,
    Severity,
    find_contradictions,
    find_leaks,
    find_unknown_labels,
)
from vidclass.data.manifest import Manifest
from vidclass.evaluation.label_issues import LabelIssue
from vidclass.types import Failure

LONG_FACTOR = 10.0
FEWEST_FRAMES = 4
# Tables round times, so a span may end so much after its video.
SPAN_MARGIN_S = 0.5


def table_issues(manifest: Manifest) -> list[Issue]:
    """Return the issues for which training refuses the table: leaks, contradictory labels."""
    table, group_ids = manifest.table, manifest.group_ids
    issues = [
        *find_leaks(table, group_ids),
        *find_leaks(table, group_ids, column="fold"),
        *find_contradictions(table),
        *find_unknown_labels(table),
    ]
    return [replace(each, advice=each.advice[:1].upper() + each.advice[1:]) for each in issues]


def unreadable_issues(inspections: Sequence[ClipInspection]) -> list[Issue]:
    """Return one issue per cause of failure, the most frequent first."""
    failures_by_cause: defaultdict[str, list[tuple[int, Failure]]] = defaultdict(list)
    for row, each in enumerate(inspections):
        if each.failure is not None:
            failures_by_cause[each.failure.cause].append((row, each.failure))
    return [
        Issue(
            "unreadable",
            "error",
            f"{counted(len(failures), 'clip')} that cannot be read: {cause}",
            failures[0][1].hint or "It is in no score.",
            tuple(row for row, _ in failures),
        )
        for cause, failures in sorted(failures_by_cause.items(), key=lambda item: -len(item[1]))
    ]


def black_frozen_issues(inspections: Sequence[ClipInspection], *, deep: bool) -> list[Issue]:
    """Return an issue for black clips and one for frozen ones.

    Args:
        inspections: Inspection of each clip.
        deep: Every frame was decoded.
    """
    advice = (
        "All of their frames were inspected."
        if deep
        else "Judged by a few frames of each; `deep=True` inspects all of them."
    )
    black = tuple(row for row, each in enumerate(inspections) if each.black)
    # A black clip is frozen, too.
    frozen = tuple(row for row, each in enumerate(inspections) if each.frozen and not each.black)
    return [
        Issue(kind, "warning", counted(len(rows), f"{kind} clip"), advice, rows)
        for kind, rows in (("black", black), ("frozen", frozen))
        if rows
    ]


def duration_issues(manifest: Manifest, inspections: Sequence[ClipInspection]) -> list[Issue]:
    """Return issues of far too long or short clips, and of spans that end after their video."""
    durations_s = {
        row: each.duration_s for row, each in enumerate(inspections) if each.failure is None
    }
    if not durations_s:
        return []
    median_s = statistics.median(durations_s.values())
    few = {row for row in durations_s if inspections[row].frames < FEWEST_FRAMES}
    return [
        *_clip_issue(
            "few_frames",
            "warning",
            f"of fewer than {FEWEST_FRAMES} frames",
            "There is hardly any movement to learn from.",
            {row: counted(inspections[row].frames, "frame") for row in sorted(few)},
        ),
        *_clip_issue(
            "span_beyond_end",
            "warning",
            "with a span that ends after the video",
            "Only the frames inside the video are used. Are the times those of another version of "
            "the video?",
            _spans_beyond_end(manifest, inspections),
        ),
        *_clip_issue(
            "long",
            "note",
            f"more than {LONG_FACTOR:.0f} times as long as the median of {median_s:.1f} s",
            "The frames taken of it lie far apart. Is it one clip? Cut it, or give spans.",
            {row: f"{s:.1f} s" for row, s in durations_s.items() if s > LONG_FACTOR * median_s},
        ),
        *_clip_issue(
            "short",
            "note",
            f"less than a tenth as long as the median of {median_s:.1f} s",
            "Was it cut by mistake?",
            {
                row: f"{s:.2f} s"
                for row, s in durations_s.items()
                if s < median_s / LONG_FACTOR and row not in few
            },
        ),
    ]


def _clip_issue(
    kind: str, severity: Severity, title: str, advice: str, details_by_row: dict[int, str]
) -> list[Issue]:
    """Return an issue of the given clips, its title prefixed with their number; none if none."""
    if not details_by_row:
        return []
    rows, details = tuple(details_by_row), tuple(details_by_row.values())
    return [Issue(kind, severity, f"{counted(len(rows), 'clip')} {title}", advice, rows, details)]


def _spans_beyond_end(manifest: Manifest, inspections: Sequence[ClipInspection]) -> dict[int, str]:
    details_by_row = {}
    for row, (each, stop_s) in enumerate(zip(inspections, manifest.table["stop_s"], strict=True)):
        if each.failure is None and each.info is not None and stop_s is not None:
            end_s = each.info.duration_s
            if stop_s > end_s + SPAN_MARGIN_S:
                details_by_row[row] = f"ends at {stop_s:.1f} s, the video at {end_s:.1f} s"
    return details_by_row


def wrong_label_issues(label_issues: Sequence[LabelIssue], agreement: float | None) -> list[Issue]:
    """Return one issue for all clips whose label may be wrong.

    Args:
        label_issues: The clips.
        agreement: Share of all given labels that the model agreed with.
    """
    if not label_issues:
        return []
    return [
        Issue(
            "label_issues",
            "warning",
            f"{counted(len(label_issues), 'clip')} whose label may be wrong",
            "A model that was not trained on the clip predicts another class. It agrees with "
            f"{agreement or 0:.0%} of all labels: check each of them, hard clips are among them.",
            tuple(each.row for each in label_issues),
            tuple(f"{each.label} → {each.suggested}" for each in label_issues),
        )
    ]
