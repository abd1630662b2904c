"""An audit: inspect every clip of a manifest and collect issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vidclass.audit import issues as find
from vidclass.audit.classes import ClassFacts, class_facts, class_findings
from vidclass.audit.collect_features import made_features, stored_features
from vidclass.audit.duplicates import Duplicates, find_duplicates
from vidclass.audit.inspection import ClipLook, LedgerEntry, look_at_clips, strips_of, try_again
from vidclass.audit.issues import SEVERITIES, Finding
from vidclass.audit.properties import Property, giveaways, odd_ones_out, property_tables
from vidclass.audit.thumbnails import STRIP_FRAMES, sheet_rows
from vidclass.config import FeatureConfig
from vidclass.data.checks import missing_file_notes
from vidclass.data.groups import fill_groups
from vidclass.data.manifest import Manifest
from vidclass.data.sources import read_source
from vidclass.evaluation.label_issues import Judgement, Suspect, judge_labels
from vidclass.features.identity import identify_clips
from vidclass.features.store.store import default_store_folder
from vidclass.ledger import read_ledger
from vidclass.types import Failure, Progress, no_progress


def read_for_check(source: str | Path, **options: Any) -> Manifest:
    """As `Manifest.from_source`, but leaks, contradictory and unknown labels are let through.

    Args:
        source: What to read.
        options: Those of `vidclass.data.sources.read_source`.

    Raises:
        ManifestError: the source cannot be read as a list of clips at all.
        ConfigError: an option is not allowed.
    """
    rows = fill_groups(read_source(source, **options))
    manifest = Manifest(rows.table, rows.notes)
    return manifest.with_notes(*missing_file_notes(manifest.table, source))


# So many clips of a finding, suspects and sets of duplicates, and clips of such a set, are shown
# with pictures.
MOST_OF_FINDING = 12
MOST_SUSPECTS = 30
MOST_SETS = 30
MOST_OF_SET = 4


@dataclass(frozen=True, eq=False)
class Audit:
    """What there is to say of a source.

    Attributes:
        manifest: The clips.
        deep: Every frame was decoded.
        looks: What was seen of each clip, in the manifest's order.
        findings: What is wrong or odd, the worst first.
        classes: One row a class.
        properties: The distinct values of sizes, codecs and the like.
        duplicates: Sets of the same or nearly the same clip, the most harmful first.
        suspects: Clips whose label may be wrong, the strongest contradiction first.
        agreement: How often the model behind `suspects` agreed with the given labels.
        ledger: The failures of an earlier run, tried again.
        not_looked_at: What was left out and how to have it, as sentences.
    """

    manifest: Manifest
    deep: bool
    looks: tuple[ClipLook, ...]
    findings: tuple[Finding, ...]
    classes: tuple[ClassFacts, ...]
    properties: tuple[Property, ...]
    duplicates: tuple[Duplicates, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    agreement: float | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    not_looked_at: tuple[str, ...] = ()

    @property
    def failures(self) -> list[Failure]:
        """One row for each clip that cannot be read."""
        return [look.failure for look in self.looks if look.failure is not None]

    @property
    def ok(self) -> int:
        """How many clips can be read."""
        return len(self.looks) - len(self.failures)


def check(
    manifest: Manifest,
    *,
    deep: bool = False,
    features: bool = False,
    config: FeatureConfig | None = None,
    store_folder: Path | None = None,
    ledger: Path | None = None,
    progress: Progress = no_progress,
) -> Audit:
    """Look at every clip and tell everything wrong or odd.

    Args:
        manifest: The clips; `vidclass.audit.run.read_for_check` gives one that is allowed to
            have leaks.
        deep: Decode every frame, to find damage inside files; implies `features`.
        features: Make features where they are not stored, to find near duplicates and labels that
            may be wrong.  Without it they are used if those of all readable clips are stored.
        config: The settings of features; None for the default.
        store_folder: Where features are kept; None for the default folder.
        ledger: A ledger of an earlier run whose videos are tried again.
        progress: Told of the stages `look`, `hash`, `extract`, `labels`, `strips` and `ledger`.

    Raises:
        ConfigError: the ledger cannot be read.
        StoreError: features are asked for and the store cannot be read or written.
        WeightsError: features are asked for and the backbone's weights are not at hand.
    """
    past = read_ledger(ledger) if ledger is not None else []  # refuse before the work
    sheets = sheet_rows(manifest)
    drawn = {row for rows in sheets.values() for row in rows}
    looks = look_at_clips(manifest.clips(), deep=deep, drawn=drawn, progress=progress)
    _, keys = identify_clips(manifest.clips(), lambda video, error: None, progress)
    keys = [None if look.failure else key for key, look in zip(keys, looks, strict=True)]
    use = partial(made_features, progress=progress) if features or deep else stored_features
    store = store_folder or default_store_folder()
    gathered = use(manifest, keys, config or FeatureConfig(), store)
    # What can be read for a thumbnail may still be damaged where frames for features lie.
    looks = [
        replace(look, failure=gathered.failures.get(row, look.failure))
        for row, look in enumerate(looks)
    ]
    judged = judge_labels(manifest, gathered.clips, progress) if gathered.clips else Judgement()
    duplicates = find_duplicates(manifest, keys, gathered.clips)
    classes = class_facts(manifest, looks)
    found = [
        *_clip_findings(manifest, looks, deep=deep),
        *find.duplicate_findings(duplicates),
        *find.suspect_findings(judged.suspects, judged.accuracy),
        *class_findings(manifest, classes),
    ]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    audit = Audit(
        manifest,
        deep=deep,
        looks=tuple(looks),
        findings=tuple(found),
        classes=tuple(classes),
        properties=tuple(property_tables(looks)),
        duplicates=tuple(duplicates),
        suspects=judged.suspects,
        agreement=judged.accuracy,
        ledger=tuple(try_again(past, progress)),
        not_looked_at=tuple(filter(None, (_left_out(deep), gathered.note, judged.note))),
    )
    return _with_strips(audit, progress)


def _clip_findings(manifest: Manifest, looks: Sequence[ClipLook], *, deep: bool) -> list[Finding]:
    return [
        *find.table_findings(manifest),
        *find.unreadable(looks),
        *find.seen(looks, deep=deep),
        *giveaways(manifest, looks),
        *find.lengths(manifest, looks),
        *odd_ones_out(looks),
    ]


def _left_out(deep: bool) -> str:
    if deep:
        return ""
    return (
        f"of each clip {STRIP_FRAMES} frames were decoded: damage between them was not looked for, "
        "which --deep does."
    )


def _with_strips(audit: Audit, progress: Progress) -> Audit:
    """The same with strips also of the first clips of all that is found."""
    wanted = {row for one in audit.findings for row in one.rows[:MOST_OF_FINDING]}
    wanted |= {one.row for one in audit.suspects[:MOST_SUSPECTS]}
    wanted |= {row for one in audit.duplicates[:MOST_SETS] for row in one.rows[:MOST_OF_SET]}
    looks = list(audit.looks)
    missing = [row for row in sorted(wanted) if not looks[row].strip and not looks[row].failure]
    if missing:
        for row, strip in strips_of(audit.manifest.clips(), missing, progress).items():
            looks[row] = replace(looks[row], strip=strip)
    return replace(audit, looks=tuple(looks))
