"""A labelled clip, and the text form of labels; imports no table library, so prediction can use it.

A label names one class, or several with `|` between them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vidclass.types import Span

LABEL_SEPARATOR = "|"


@dataclass(frozen=True)
class Clip:
    """A labelled span of a video, often the whole video.

    `label` names one class, or several with `|` between them.  `fps` is set for an image sequence,
    which has no timestamps of its own, and None for a video file.
    """

    video: Path
    label: str
    group: str | None
    split: str | None
    fold: int | None
    span: Span
    fps: float | None = None


def labels_in(label: str) -> tuple[str, ...]:
    """Return the classes that a label names.

    >>> labels_in("run"), labels_in("run|wave")
    (('run',), ('run', 'wave'))
    """
    return tuple(label.split(LABEL_SEPARATOR))


def join_labels(labels: Iterable[str]) -> str:
    """Return one label for several classes, sorted and without duplicates.

    >>> join_labels(["wave", "run", "wave"])
    'run|wave'
    """
    return LABEL_SEPARATOR.join(sorted(set(labels)))


def clean_label(text: str) -> str:
    """Normalize a label of one or several classes; return "" if one of them has no name.

    >>> clean_label(" wave | run"), clean_label("wave|")
    ('run|wave', '')
    """
    names = [clean_text(name) for name in labels_in(text)]
    return join_labels(names) if all(names) else ""


def clean_text(text: str) -> str:
    """Normalize the name of a class or group: strip it and compose accents (NFC)."""
    return unicodedata.normalize("NFC", text.strip())
