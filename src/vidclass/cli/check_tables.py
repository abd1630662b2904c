"""Terminal output of `vidclass data check`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from vidclass._core.text import counted
from vidclass.cli.console import closing_line, print_notes, say, show
from vidclass.cli.option_names import in_options

if TYPE_CHECKING:
    from vidclass.audit.run import Audit

MOST_LINES = 10
_BAR_CELLS = 10


def with_option_names(audit: Audit) -> Audit:
    """Return the audit with options in place of Python's parameters in its texts."""
    issues = [replace(issue, advice=in_options(issue.advice)) for issue in audit.issues]
    return replace(audit, issues=tuple(issues), skipped=tuple(map(in_options, audit.skipped)))


def report_audit(audit: Audit, *, page: Path | None, ledger: Path | None, quiet: bool) -> None:
    """Print the issues and the tables; with `quiet`, only notes and the closing line."""
    print_notes(audit.manifest.notes)
    if not quiet:
        say(overview(audit))
        show(class_table(audit))
        show(property_table(audit))
        _print_issues(audit)
        if any(one.across for one in audit.duplicates):
            show(duplicate_table(audit))
        if audit.label_issues:
            show(label_issue_table(audit))
        if audit.ledger:
            show(ledger_table(audit))
        for sentence in audit.skipped:
            say(f"skipped: {sentence}")
        if page is not None:
            say(f"page: {page}")
    closing_line(audit.ok, audit.failures, ledger)


def overview(audit: Audit) -> str:
    """Return counts of clips, files, classes and groups, and the total duration, in one line."""
    table = audit.manifest.table
    groups = table["group"].drop_nulls().n_unique()
    total_s = sum(each.duration_s for each in audit.inspections)
    words = [
        counted(len(table), "clip"),
        counted(table["video"].n_unique(), "file"),
        counted(len(audit.classes), "class"),
        counted(groups, "group") if groups else "groups unknown",
        long_time(total_s),
    ]
    return ", ".join(words)


def long_time(seconds: float) -> str:
    """Return a duration as text in hours, minutes and seconds, without parts that are zero."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or f"{seconds:.2g} s"


def class_table(audit: Audit) -> Table:
    """Return a table of clips, groups and durations by class."""
    table = Table(title="classes, and the lengths of their clips in seconds", title_justify="left")
    table.add_column("class", no_wrap=True)
    splits = [name for name, held in _held(audit).items() if held]
    for column in ("clips", "groups", *splits, "failed", "least", "median", "most"):
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    table.add_column("balance", no_wrap=True)
    largest = max(fact.clips for fact in audit.classes)
    for fact in audit.classes:
        lengths = fact.durations_s or ()
        table.add_row(
            escape(fact.label),
            str(fact.clips),
            str(fact.groups or "?"),
            *(str(fact.splits[name]) for name in splits),
            str(fact.unreadable or ""),
            *([f"{seconds:.1f}" for seconds in lengths] or ["", "", ""]),
            "━" * max(1, round(_BAR_CELLS * fact.clips / largest)),
        )
    return table


def _held(audit: Audit) -> dict[str, int]:
    """Return the number of clips in each given split."""
    held: dict[str, int] = {}
    for fact in audit.classes:
        for name, count in fact.splits.items():
            held[name] = held.get(name, 0) + count
    return held


def property_table(audit: Audit) -> Table:
    """Return a table of the distinct sizes, codecs and other properties."""
    table = _table("files", "property")
    table.add_column("values (files)")
    for one in audit.properties:
        values = [f"{value.value} ({value.files})" for value in one.values]
        table.add_row(one.name, escape(_shortened(values)))
    return table


def duplicate_table(audit: Audit) -> Table:
    """Return a table of duplicates across splits or classes, the worst first."""
    table = _table("duplicates that do harm", "alike")
    table.add_column("across")
    table.add_column("clips")
    harmful = [one for one in audit.duplicates if one.across]
    for one in harmful[:MOST_LINES]:
        alike = "exact" if one.exact else f"{one.similarity:.3f}"
        names = [_name(audit, row, with_label=True) for row in one.rows]
        table.add_row(alike, ", ".join(one.across), escape(_shortened(names, 4)))
    return _with_rest(table, harmful)


def label_issue_table(audit: Audit) -> Table:
    """Return a table of the labels that are most likely wrong."""
    title = f"labels that may be wrong (the model agrees with {audit.agreement or 0:.0%} of all)"
    table = _table(title, "clip")
    for column in ("label", "it looks like"):
        table.add_column(column)
    for one in audit.label_issues[:MOST_LINES]:
        table.add_row(
            escape(_name(audit, one.row)),
            escape(f"{one.label} ({one.label_probability:.0%})"),
            escape(f"{one.suggested} ({one.probability:.0%})"),
        )
    return _with_rest(table, audit.label_issues)


def ledger_table(audit: Audit) -> Table:
    """Return a table of an earlier run's failures by cause, with how many are readable now."""
    table = _table("the ledger", "cause")
    for column in ("videos", "readable now"):
        table.add_column(column, justify="right")
    causes: dict[str, list[bool]] = {}
    for entry in audit.ledger:
        causes.setdefault(entry.failure.cause, []).append(not entry.now)
    for cause, now in sorted(causes.items(), key=lambda item: -len(item[1])):
        table.add_row(escape(cause), str(len(now)), str(sum(now)))
    return table


def _print_issues(audit: Audit) -> None:
    if not audit.issues:
        say("no issues")
    for issue in audit.issues:
        say(f"{issue.severity}: {issue.title}")
        if issue.advice:
            say(f"  {issue.advice}")
        names = [_name(audit, row) for row in issue.rows]
        if names:
            say(f"  {_shortened(names, 5)}")
        for detail in () if names else issue.details[:MOST_LINES]:
            say(f"  {detail}")


def _name(audit: Audit, row: int, *, with_label: bool = False) -> str:
    video, label = audit.manifest.table["video"][row], audit.manifest.table["label"][row]
    name = PurePath(video).name
    return f"{name} ({label})" if with_label else name


def _shortened(items: Iterable[str], most: int = MOST_LINES) -> str:
    everything = list(items)
    more = f", and {len(everything) - most} more" if len(everything) > most else ""
    return ", ".join(everything[:most]) + more


def _table(title: str, first: str) -> Table:
    return Table(first, title=title, title_justify="left")


def _with_rest(table: Table, everything: Sequence[object]) -> Table:
    if len(everything) > MOST_LINES:
        table.caption = f"and {len(everything) - MOST_LINES} more in the JSON"
        table.caption_justify = "left"
    return table
