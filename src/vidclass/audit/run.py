"""Audit: inspect every clip of a manifest and collect issues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from vidclass._core.execution import ExecutionOptions
from vidclass.audit import issues as find
from vidclass.audit.classes import ClassSummary, class_issues, summarize_classes
from vidclass.audit.collect_features import extract_clip_features, read_clip_features
from vidclass.audit.duplicates import DuplicateSet, duplicate_issues, find_duplicates
from vidclass.audit.inspection import (
    ClipInspection,
    LedgerEntry,
    draw_thumbnails,
    inspect_clips,
    retry_ledger,
)
from vidclass.audit.properties import (
    FileProperty,
    file_properties,
    giveaway_issues,
    outlier_issues,
)
from vidclass.audit.thumbnails import THUMBNAIL_FRAMES, contact_sheet_rows
from vidclass.config import FeatureConfig
from vidclass.data.checks import Issue, Severity, missing_file_notes
from vidclass.data.groups import fill_groups
from vidclass.data.manifest import Manifest
from vidclass.data.sources import read_source
from vidclass.evaluation.label_issues import LabelCheck, LabelIssue, find_label_issues
from vidclass.features.identity import identify_clips
from vidclass.ledger import read_ledger
from vidclass.types import Failure, Progress, no_progress

# At most so many clips of an issue, label issues, sets of duplicates, and clips of a set get
# thumbnails.
MOST_PER_ISSUE = 12
MOST_LABEL_ISSUES = 30
MOST_SETS = 30
MOST_PER_SET = 4


@dataclass(frozen=True, eq=False)
class Audit:
    """Result of an audit.

    Attributes:
        manifest: The clips.
        deep: Every frame was decoded.
        inspections: Inspection of each clip, in the manifest's order.
        issues: Everything wrong or unusual, the most severe first.
        classes: One summary per class.
        properties: Distinct values of sizes, codecs and other file properties.
        duplicates: Sets of equal or nearly equal clips, the most harmful first.
        label_issues: Clips whose label may be wrong, the strongest contradiction first.
        agreement: Share of given labels that the model behind `label_issues` agreed with.
        ledger: Failures of an earlier run, and whether the files can be read now.
        skipped: Checks that were not made and how to have them made, as sentences.
    """

    manifest: Manifest
    deep: bool
    inspections: tuple[ClipInspection, ...]
    issues: tuple[Issue, ...]
    classes: tuple[ClassSummary, ...]
    properties: tuple[FileProperty, ...]
    duplicates: tuple[DuplicateSet, ...] = ()
    label_issues: tuple[LabelIssue, ...] = ()
    agreement: float | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def failures(self) -> list[Failure]:
        """One ledger row for each clip that cannot be read."""
        return [each.failure for each in self.inspections if each.failure is not None]

    @property
    def ok(self) -> int:
        """Number of clips that can be read."""
        return len(self.inspections) - len(self.failures)


def read_for_check(source: str | Path, **options: Any) -> Manifest:
    """Return a manifest as `Manifest.from_source`, but allow leaks and contradictory labels.

    Args:
        source: Folder or file to read.
        options: Options of `vidclass.data.sources.read_source`.

    Raises:
        ManifestError: The source cannot be read as a list of clips at all.
        ConfigError: An option is not allowed.
    """
    rows = fill_groups(read_source(source, **options))
    manifest = Manifest(rows.table, rows.notes)
    return manifest.with_notes(*missing_file_notes(manifest.table, source))


def check(
    source: Manifest | str | Path,
    *,
    deep: bool = False,
    features: bool = False,
    config: FeatureConfig | None = None,
    store_folder: Path | None = None,
    ledger: Path | None = None,
    progress: Progress = no_progress,
) -> Audit:
    """Inspect every clip and report everything wrong or unusual.

    Args:
        source: The clips, or a folder or file to read them from.  A source that is read here may
            have leaks and contradictory labels: they become issues.
        deep: Decode every frame, to find damage inside files; implies `features`.
        features: Extract features that are not stored, to find near duplicates and wrong labels.
            Without it they are used if those of all readable clips are stored.
        config: Feature settings; None for the default.
        store_folder: Folder of the feature store; None for the default one.
        ledger: Ledger of an earlier run whose videos are tried again.
        progress: Callback; reports stages `inspect`, `hash`, `extract`, `labels`, `thumbnails`
            and `ledger`.

    Raises:
        ManifestError: The source cannot be read as a list of clips at all.
        ConfigError: The ledger cannot be read.
        StoreError: `features` is set and the store cannot be read or written.
        WeightsError: `features` is set and the backbone's weights are missing.
    """
    manifest = source if isinstance(source, Manifest) else read_for_check(source)
    past = read_ledger(ledger) if ledger is not None else []  # refuse before the work
    sheet = contact_sheet_rows(manifest.table["label"].to_list())
    thumbnail_rows = {row for rows in sheet.values() for row in rows}
    inspections = inspect_clips(
        manifest.clips(), deep=deep, thumbnail_rows=thumbnail_rows, progress=progress
    )
    _, keys = identify_clips(manifest.clips(), lambda video, error: None, progress)
    keys = [None if each.failure else key for key, each in zip(keys, inspections, strict=True)]
    collect = extract_clip_features if features or deep else read_clip_features
    execution = ExecutionOptions(store_folder, progress)
    collected = collect(manifest, keys, config or FeatureConfig(), execution)
    # A clip that can be read for a thumbnail may be damaged at the frames that features need.
    inspections = [
        replace(each, failure=collected.failures.get(row, each.failure))
        for row, each in enumerate(inspections)
    ]
    labels = LabelCheck()
    if collected.clips:
        labels = find_label_issues(manifest, collected.clips, progress)
    audit = Audit(
        manifest,
        deep=deep,
        inspections=tuple(inspections),
        issues=(),
        classes=tuple(summarize_classes(manifest, inspections)),
        properties=tuple(file_properties(inspections)),
        duplicates=tuple(find_duplicates(manifest, keys, collected.clips)),
        label_issues=labels.issues,
        agreement=labels.agreement,
        ledger=tuple(retry_ledger(past, progress)),
        skipped=tuple(filter(None, (_skipped_frames(deep), collected.note, labels.note))),
    )
    return _with_thumbnails(replace(audit, issues=_issues(audit)), progress)


def _issues(audit: Audit) -> tuple[Issue, ...]:
    """Return all issues of an audit, the most severe first."""
    manifest, inspections = audit.manifest, audit.inspections
    issues = [
        *find.table_issues(manifest),
        *find.unreadable_issues(inspections),
        *find.black_frozen_issues(inspections, deep=audit.deep),
        *giveaway_issues(manifest.table["label"].to_list(), inspections),
        *find.duration_issues(manifest, inspections),
        *outlier_issues(inspections),
        *duplicate_issues(audit.duplicates),
        *find.wrong_label_issues(audit.label_issues, audit.agreement),
        *class_issues(manifest, audit.classes),
    ]
    return tuple(sorted(issues, key=lambda issue: get_args(Severity).index(issue.severity)))


def _skipped_frames(deep: bool) -> str:
    if deep:
        return ""
    return (
        f"{THUMBNAIL_FRAMES} frames of each clip were decoded: damage between them was not "
        "searched for, which `deep=True` does."
    )


def _with_thumbnails(audit: Audit, progress: Progress) -> Audit:
    """Add thumbnails of the first clips of all issues, label issues and duplicates."""
    rows = {row for issue in audit.issues for row in issue.rows[:MOST_PER_ISSUE]}
    rows |= {issue.row for issue in audit.label_issues[:MOST_LABEL_ISSUES]}
    rows |= {row for each in audit.duplicates[:MOST_SETS] for row in each.rows[:MOST_PER_SET]}
    inspections = list(audit.inspections)
    missing = [
        row for row in sorted(rows) if not (inspections[row].thumbnail or inspections[row].failure)
    ]
    if missing:
        thumbnails = draw_thumbnails(audit.manifest.clips(), missing, progress)
        for row, thumbnail in thumbnails.items():
            inspections[row] = replace(inspections[row], thumbnail=thumbnail)
    return replace(audit, inspections=tuple(inspections))
