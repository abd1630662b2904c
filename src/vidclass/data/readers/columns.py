"""Which column of a table means what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vidclass._core.text import did_you_mean, listed, quoted
from vidclass.errors import ManifestError

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "video": ("video", "video_name", "clip", "path", "file", "file_name"),
        "label": ("label", "tag", "class"),
        "group": ("group",),
        "split": ("split",),
        "fold": ("fold",),
        "start_s": ("start_s",),
        "stop_s": ("stop_s",),
        "fps": ("fps",),
    }
)

KNOWN_NAMES = frozenset(name for names in NAMES.values() for name in names)


def find_columns(file: str, header: list[str]) -> tuple[dict[str, int], list[str]]:
    """Where each meaning stands in the header, and notes on the columns that are not used.

    Names are compared without regard to case; of several names for one meaning the first in
    `NAMES` is taken.

    Raises:
        ManifestError: there is no column for videos or none for labels.
    """
    places = {name.lower(): index for index, name in enumerate(header)}
    found = {
        meaning: next((places[name] for name in names if name in places), -1)
        for meaning, names in NAMES.items()
    }
    used = {meaning: index for meaning, index in found.items() if index >= 0}
    unused = [name for index, name in enumerate(header) if index not in used.values() and name]
    for meaning in ("video", "label"):
        if meaning not in used:
            raise ManifestError(_missing(file, meaning, header, unused))
    free = [name for meaning, names in NAMES.items() if meaning not in used for name in names]
    hints = "".join(did_you_mean(name, free) for name in unused)
    return used, [f"{file}: columns not used: {listed(quoted(unused))}.{hints}"] if unused else []


def _missing(file: str, meaning: str, header: list[str], unused: list[str]) -> str:
    hint = next(filter(None, (did_you_mean(name, NAMES[meaning]) for name in unused)), "")
    if len(header) == 1:
        hint = " Only one column was found: put a comma, semicolon, tab or bar between cells."
    return (
        f"{file} has no column for the {meaning}: one of {', '.join(NAMES[meaning])} is needed, "
        f"found: {listed(quoted(header))}.{hint}"
    )
