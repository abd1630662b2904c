"""What an audit is made of.  Clips are named by their row in the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidclass.types import Failure
from vidclass.video.probe import VideoInfo

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class ClipLook:
    """What was seen of one clip.

    Attributes:
        info: What the file holds; None where it cannot be read.
        failure: Why the clip cannot be read; None where it can.
        duration_s: Of the clip, not of the whole file; 0 where it cannot be read.
        frames: How many frames the clip has (inside a file, by the mean rate).
        looked_at: How many of them were decoded and looked at.
        black: All of those are dark.
        frozen: All of those, two at least, are the same picture.
        strip: A JPEG of a few frames beside one another; empty where none was wanted or made.
    """

    info: VideoInfo | None
    failure: Failure | None = None
    duration_s: float = 0.0
    frames: int = 0
    looked_at: int = 0
    black: bool = False
    frozen: bool = False
    strip: bytes = b""


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


@dataclass(frozen=True)
class ClassFacts:
    """One class.

    Attributes:
        label: Its name.
        clips: How many there are, readable or not.
        groups: How many known groups they come from.
        unreadable: How many of them cannot be read.
        splits: How many are in each given split.
        durations_s: The shortest, the median and the longest; None where none can be read.
    """

    label: str
    clips: int
    groups: int
    unreadable: int
    splits: dict[str, int]
    durations_s: tuple[float, float, float] | None


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


@dataclass(frozen=True)
class Duplicates:
    """Clips that are the same, or nearly.

    Attributes:
        rows: Two or more clips, rising.
        similarity: 1 for the same bytes, else the cosine of their features.
        exact: The same bytes and the same span.
        across: What tells them apart and should not: some of `labels`, `splits`, `folds`,
            `groups`.  Harmful unless empty.
    """

    rows: tuple[int, ...]
    similarity: float
    exact: bool
    across: tuple[str, ...]


@dataclass(frozen=True)
class Suspect:
    """A clip whose label a model that never saw it contradicts with confidence.

    Attributes:
        row: The clip.
        label: The given class.
        label_probability: What the model gives to it.
        suggested: The class that the model takes it for.
        probability: What the model gives to that.
    """

    row: int
    label: str
    label_probability: float
    suggested: str
    probability: float


@dataclass(frozen=True)
class LedgerEntry:
    """A failure of an earlier run, and what comes of the same file now.

    Attributes:
        failure: The row of the ledger.
        cause: Its message without the file's name and the hint.
        now: Why it cannot be read now; empty where it can.
    """

    failure: Failure
    cause: str
    now: str
