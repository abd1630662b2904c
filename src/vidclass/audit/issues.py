"""What is wrong or odd with single clips, and with splits."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vidclass._core.text import counted
from vidclass.audit.duplicates import Duplicates
from vidclass.audit.inspection import ClipLook
from vidclass.data.checks import find_contradictions, find_leaks, find_unknown_labels
from vidclass.data.manifest import Manifest
from vidclass.evaluation.label_issues import Suspect
from vidclass.types import Failure

LONG_FACTOR = 10.0
FEWEST_FRAMES = 4
# A span may end beyond its video by so much: tables round.
SPAN_MARGIN_S = 0.5


Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something wrong or odd.

    Attributes:
        kind: A stable name, such as `unreadable`.
        severity: `error`: training would fail or measure nothing; `warning`: it would suffer;
            `note`: worth knowing.
        title: One line, with numbers.
        advice: What it means and what to do, as sentences.
        rows: The clips concerned; none where it is about all of them.
        details: More lines, such as one for each clip; none where the clips' names say it all.
    """

    kind: str
    severity: Severity
    title: str
    advice: str = ""
    rows: tuple[int, ...] = ()
    details: tuple[str, ...] = ()


def table_findings(manifest: Manifest) -> list[Finding]:
    """What training would refuse of the table: leaks, contradictions, labels never learnt."""
    table, group_ids = manifest.table, manifest.group_ids
    issues = [
        *find_leaks(table, group_ids),
        *find_leaks(table, group_ids, column="fold"),
        *find_contradictions(table),
        *find_unknown_labels(table),
    ]
    return [
        Finding(one.kind, one.severity, one.title, _sentence(one.advice), one.rows, one.details)
        for one in issues
    ]


def unreadable(looks: Sequence[ClipLook]) -> list[Finding]:
    """One finding a cause."""
    by_cause: defaultdict[str, list[tuple[int, Failure]]] = defaultdict(list)
    for row, look in enumerate(looks):
        if look.failure is not None:
            by_cause[look.failure.cause].append((row, look.failure))
    return [
        Finding(
            "unreadable",
            "error",
            f"{counted(len(cases), 'clip')} that cannot be read: {cause}",
            cases[0][1].hint or "It is in no score.",
            tuple(row for row, _ in cases),
        )
        for cause, cases in sorted(by_cause.items(), key=lambda item: -len(item[1]))
    ]


def seen(looks: Sequence[ClipLook], *, deep: bool) -> list[Finding]:
    """Black and frozen clips."""
    if deep:
        how = "All of their frames were looked at."
    else:
        how = "Judged by a few frames of each; --deep looks at all of them."
    black = tuple(row for row, look in enumerate(looks) if look.black)
    # A black clip is frozen, too.
    frozen = tuple(row for row, look in enumerate(looks) if look.frozen and not look.black)
    findings = []
    if black:
        title = counted(len(black), "black clip")
        findings.append(Finding("black", "warning", title, how, black))
    if frozen:
        title = counted(len(frozen), "frozen clip")
        findings.append(Finding("frozen", "warning", title, how, frozen))
    return findings


def lengths(manifest: Manifest, looks: Sequence[ClipLook]) -> list[Finding]:
    """Clips that are far longer or shorter than most, and spans that end beyond their video."""
    durations = {row: look.duration_s for row, look in enumerate(looks) if look.failure is None}
    if not durations:
        return []
    median_s = statistics.median(durations.values())
    few = {row for row in durations if looks[row].frames < FEWEST_FRAMES}
    found = (
        _of_clips(
            "few_frames",
            "warning",
            f"of fewer than {FEWEST_FRAMES} frames",
            "There is hardly any movement to learn from.",
            {row: counted(looks[row].frames, "frame") for row in sorted(few)},
        ),
        _of_clips(
            "span_beyond_end",
            "warning",
            "with a span that ends after the video",
            "Only what is there is used. Are the times those of another version of the video?",
            _beyond(manifest, looks),
        ),
        _of_clips(
            "long",
            "note",
            f"more than {LONG_FACTOR:.0f} times as long as the median of {median_s:.1f} s",
            "The frames taken of it lie far apart. Is it one clip? Cut it, or give spans.",
            {row: f"{s:.1f} s" for row, s in durations.items() if s > LONG_FACTOR * median_s},
        ),
        _of_clips(
            "short",
            "note",
            f"less than a tenth as long as the median of {median_s:.1f} s",
            "Was it cut by mistake?",
            {
                row: f"{s:.2f} s"
                for row, s in durations.items()
                if s < median_s / LONG_FACTOR and row not in few
            },
        ),
    )
    return [finding for finding in found if finding is not None]


def _of_clips(
    kind: str, severity: Severity, what: str, advice: str, cases: dict[int, str]
) -> Finding | None:
    if not cases:
        return None
    title = f"{counted(len(cases), 'clip')} {what}"
    return Finding(kind, severity, title, advice, tuple(cases), tuple(cases.values()))


def _beyond(manifest: Manifest, looks: Sequence[ClipLook]) -> dict[int, str]:
    cases = {}
    for row, (look, stop_s) in enumerate(zip(looks, manifest.table["stop_s"], strict=True)):
        if look.failure is None and look.info is not None and stop_s is not None:
            end_s = look.info.duration_s
            if stop_s > end_s + SPAN_MARGIN_S:
                cases[row] = f"ends at {stop_s:.1f} s, the video at {end_s:.1f} s"
    return cases


def duplicate_findings(duplicates: Sequence[Duplicates]) -> list[Finding]:
    """Only those that do harm: across labels, splits, folds or groups."""
    meaning = {
        "labels": "One of the labels must be wrong. Keep one clip.",
        "splits": "The classifier is tested on what it has learnt. Keep one, or one side.",
        "folds": "The classifier is tested on what it has learnt. Keep one, or one side.",
        "groups": "A split may put them on two sides, which is a leak. Give them one group.",
    }
    findings = []
    for exact in (True, False):
        for what, advice in meaning.items():
            # Each under the worst that it does.
            sets = [d for d in duplicates if d.exact == exact and d.across[:1] == (what,)]
            rows = tuple(dict.fromkeys(row for one in sets for row in one.rows))
            if rows:
                severity: Severity = "error" if exact and what != "groups" else "warning"
                title = (
                    f"{counted(len(sets), 'set')} of {'exact' if exact else 'near'} duplicates "
                    f"across {what}: {counted(len(rows), 'clip')}"
                )
                kind = f"{'exact' if exact else 'near'}_duplicates_across_{what}"
                findings.append(Finding(kind, severity, title, advice, rows))
    harmless = [one for one in duplicates if not one.across]
    if harmless:
        findings.append(
            Finding(
                "duplicates_inside_groups",
                "note",
                f"{counted(len(harmless), 'set')} of duplicates inside a group and a class",
                "They do no harm to scores, but count more than once.",
            )
        )
    return findings


def suspect_findings(suspects: Sequence[Suspect], agreement: float | None) -> list[Finding]:
    """All of them as one finding.

    Args:
        suspects: The clips.
        agreement: How often the model behind them agreed with the given labels.
    """
    if not suspects:
        return []
    return [
        Finding(
            "suspected_labels",
            "warning",
            f"{counted(len(suspects), 'clip')} whose label may be wrong",
            "A model that never saw the clip takes it for another class. It agrees with "
            f"{agreement or 0:.0%} of all labels: look at each of them, hard clips are among them.",
            tuple(suspect.row for suspect in suspects),
            tuple(f"{suspect.label} → {suspect.suggested}" for suspect in suspects),
        )
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
