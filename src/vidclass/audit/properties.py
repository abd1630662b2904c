"""File properties: distinct values, outliers, and values that give a class away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vidclass._core.text import counted
from vidclass.audit.inspection import ClipInspection
from vidclass.data.checks import Issue
from vidclass.video.probe import VideoInfo

EXAMPLES = 3
# A value is common if so large a share of the files has it; other files are then outliers.
COMMON_SHARE = 0.9
# A value gives a class away if it has so many clips, nearly all of them of that class, and they
# are so large a share of the class.
GIVEAWAY_CLIPS = 5
GIVEAWAY_PURITY = 0.95
GIVEAWAY_SHARE = 0.5

PROPERTIES: Mapping[str, Callable[[VideoInfo], str]] = {
    "size": lambda info: f"{info.width}x{info.height}",
    "frames a second": lambda info: f"{info.fps:.2f}".rstrip("0").rstrip("."),
    "rate": lambda info: "varies" if info.variable_frame_rate else "constant",
    "codec": lambda info: info.codec,
    "pixel format": lambda info: info.pixel_format,
    "rotation": lambda info: f"{info.rotation_deg} degrees",
    "audio": lambda info: "yes" if info.has_audio else "no",
}
# Recordings of one data set often differ a little in these.
_NEVER_OUTLIERS = frozenset({"frames a second"})


@dataclass(frozen=True)
class PropertyValue:
    """A value of a property, the number of files that have it, and the first few of them."""

    value: str
    files: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class FileProperty:
    """A property of files, such as the codec, with its distinct values, most common first."""

    name: str
    values: tuple[PropertyValue, ...]


def file_properties(inspections: Sequence[ClipInspection]) -> list[FileProperty]:
    """Return each property with its distinct values over the readable files."""
    infos = _distinct_infos(inspections)
    properties = []
    for name, value_of in PROPERTIES.items():
        files: defaultdict[str, list[str]] = defaultdict(list)
        for info in infos:
            files[value_of(info)].append(str(info.path))
        values = [
            PropertyValue(value, len(paths), tuple(paths[:EXAMPLES]))
            for value, paths in files.items()
        ]
        values.sort(key=lambda each: -each.files)
        properties.append(FileProperty(name, tuple(values)))
    return properties


def outlier_issues(inspections: Sequence[ClipInspection]) -> list[Issue]:
    """Return an issue for each property in which a few files differ from nearly all others."""
    infos = _distinct_infos(inspections)
    issues = []
    for name, value_of in PROPERTIES.items():
        counts = Counter(map(value_of, infos))
        if name in _NEVER_OUTLIERS or len(counts) < 2:
            continue
        common, count = counts.most_common(1)[0]
        if count < COMMON_SHARE * len(infos):
            continue
        values_by_row = {
            row: value_of(each.info)
            for row, each in enumerate(inspections)
            if each.info is not None and value_of(each.info) != common
        }
        issues.append(
            Issue(
                f"odd_{name.replace(' ', '_')}",
                "note",
                f"{counted(len(infos) - count, 'file')} of another {name} than {common}, which "
                f"{count} of {len(infos)} have",
                "They can be read; see whether they belong here.",
                tuple(values_by_row),
                tuple(values_by_row.values()),
            )
        )
    return issues


def giveaway_issues(labels: Sequence[str], inspections: Sequence[ClipInspection]) -> list[Issue]:
    """Return an issue of values that nearly only one class has: a classifier may learn them."""
    clips_per_label = Counter(labels)
    if len(clips_per_label) < 2:
        return []
    cases = []
    for name, value_of in PROPERTIES.items():
        rows_by_value: defaultdict[str, list[int]] = defaultdict(list)
        for row, each in enumerate(inspections):
            if each.info is not None:
                rows_by_value[value_of(each.info)].append(row)
        for value, rows in rows_by_value.items():
            label, count = Counter(labels[row] for row in rows).most_common(1)[0]
            pure = count >= max(GIVEAWAY_CLIPS, GIVEAWAY_PURITY * len(rows))
            if pure and count >= GIVEAWAY_SHARE * clips_per_label[label]:
                cases.append(
                    f"{name} {value}: {count} of {len(rows)} clips are {label!r}, which has "
                    f"{clips_per_label[label]}"
                )
    if not cases:
        return []
    return [
        Issue(
            "giveaway",
            "warning",
            f"{counted(len(cases), 'value')} of file properties that nearly only one class has",
            "A classifier may learn how the files were encoded instead of their content, and fail "
            "on others. Re-encode all clips alike, or add clips that break the pattern.",
            details=tuple(cases),
        )
    ]


def _distinct_infos(inspections: Sequence[ClipInspection]) -> list[VideoInfo]:
    """Return the properties of each readable file once."""
    infos = [each.info for each in inspections if each.info is not None]
    return list({info.path: info for info in infos}.values())
