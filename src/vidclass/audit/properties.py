"""The properties of files: distinct values, the odd ones out, and values that give a class away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vidclass._core.text import counted
from vidclass.audit.inspection import ClipLook
from vidclass.audit.issues import Finding
from vidclass.data.manifest import Manifest
from vidclass.video.probe import VideoInfo

EXAMPLES = 3
# A file is an odd one out when so large a share of the files has one other value.
COMMON_SHARE = 0.9
# A value gives a class away when so many clips have it, nearly all of them of that class, and
# they are so large a share of the class.
TELLING_CLIPS = 5
TELLING_PURITY = 0.95
TELLING_SHARE = 0.5

PROPERTIES: Mapping[str, Callable[[VideoInfo], str]] = {
    "size": lambda info: f"{info.width}x{info.height}",
    "frames a second": lambda info: f"{info.fps:.2f}".rstrip("0").rstrip("."),
    "rate": lambda info: "varies" if info.variable_frame_rate else "constant",
    "codec": lambda info: info.codec,
    "pixel format": lambda info: info.pixel_format,
    "rotation": lambda info: f"{info.rotation_deg} degrees",
    "audio": lambda info: "yes" if info.has_audio else "no",
}
# Recordings of one set often differ a little in these, by right.
_NO_ODD_ONES = frozenset({"frames a second"})


@dataclass(frozen=True)
class Value:
    """A value of a property, how many files have it, and the first few of them."""

    value: str
    files: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Property:
    """A property of files, such as the codec, with its distinct values, most common first."""

    name: str
    values: tuple[Value, ...]


def property_tables(looks: Sequence[ClipLook]) -> list[Property]:
    """Each property's distinct values over the readable files, most common first."""
    infos = _infos(looks)
    tables = []
    for name, value_of in PROPERTIES.items():
        files: defaultdict[str, list[str]] = defaultdict(list)
        for info in infos:
            files[value_of(info)].append(str(info.path))
        values = [Value(v, len(paths), tuple(paths[:EXAMPLES])) for v, paths in files.items()]
        tables.append(Property(name, tuple(sorted(values, key=lambda value: -value.files))))
    return tables


def odd_ones_out(looks: Sequence[ClipLook]) -> list[Finding]:
    """Files whose size, codec or the like is not that of nearly all others."""
    infos = _infos(looks)
    findings = []
    for name, value_of in PROPERTIES.items():
        counts = Counter(map(value_of, infos))
        if name in _NO_ODD_ONES or len(counts) < 2:
            continue
        common, most = counts.most_common(1)[0]
        if most < COMMON_SHARE * len(infos):
            continue
        rows = {
            row: value_of(look.info)
            for row, look in enumerate(looks)
            if look.info is not None and value_of(look.info) != common
        }
        files = len(infos) - most
        findings.append(
            Finding(
                f"odd_{name.replace(' ', '_')}",
                "note",
                f"{counted(files, 'file')} of another {name} than {common}, which "
                f"{most} of {len(infos)} have",
                "They can be read; see whether they belong here.",
                tuple(rows),
                tuple(rows.values()),
            )
        )
    return findings


def giveaways(manifest: Manifest, looks: Sequence[ClipLook]) -> list[Finding]:
    """Values that nearly only one class has, and much of it: they may be learnt in its place."""
    labels = manifest.table["label"].to_list()
    clips_of = Counter(labels)
    cases = []
    rows: set[int] = set()
    for name, value_of in PROPERTIES.items() if len(clips_of) > 1 else ():
        having: defaultdict[str, list[int]] = defaultdict(list)
        for row, look in enumerate(looks):
            if look.info is not None:
                having[value_of(look.info)].append(row)
        for value, found in having.items():
            label, most = Counter(labels[row] for row in found).most_common(1)[0]
            pure = most >= max(TELLING_CLIPS, TELLING_PURITY * len(found))
            if pure and most >= TELLING_SHARE * clips_of[label]:
                rows.update(found)
                cases.append(
                    f"{name} {value}: {most} of {len(found)} clips are {label!r}, which has "
                    f"{clips_of[label]}"
                )
    if not cases:
        return []
    return [
        Finding(
            "giveaway",
            "warning",
            f"{counted(len(cases), 'value')} of file properties that nearly only one class has",
            "A classifier may learn how the files were made in place of what they show, and fail "
            "on others. Re-encode all clips alike, or add clips that break the pattern.",
            details=tuple(cases),
        )
    ]


def _infos(looks: Sequence[ClipLook]) -> list[VideoInfo]:
    """Once for each file."""
    return list({look.info.path: look.info for look in looks if look.info is not None}.values())
