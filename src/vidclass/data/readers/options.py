"""What a reader can be told about its source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source; None where nothing was said.

    Attributes:
        root: The folder in which to look for videos (absolute).
        official_split: Which of a data set's official splits, from 1.
        labels: A file with the names of classes (absolute).
        fps: Frames a second of folders of frame pictures, and of annotations by frame number.
        multi_label: Rows with the same clip and different labels give one clip several labels.
    """

    root: Path | None = None
    official_split: int | None = None
    labels: Path | None = None
    fps: float | None = None
    multi_label: bool = False

    def given(self) -> dict[str, str]:
        """The options that were given, each with its name on the command line."""
        names = {
            "--root": self.root,
            "--official-split": self.official_split,
            "--labels": self.labels,
            "--fps": self.fps,
            "--multi-label": self.multi_label or None,
        }
        return {name: str(value) for name, value in names.items() if value is not None}
