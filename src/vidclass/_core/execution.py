"""How work on many videos is carried out: where features are stored, and what failures mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidclass.types import Progress, no_progress


@dataclass(frozen=True)
class ExecutionOptions:
    """Options that change how work on many videos is done, never its result.

    Attributes:
        store_folder: Folder of the feature store; None for the default one.
        progress: Callback for a stage, how much of it is done, and how much there is.
        strict: Stop at the first video that cannot be read.
        retry_failed: Read videos again that failed before.
    """

    store_folder: Path | None = None
    progress: Progress = no_progress
    strict: bool = False
    retry_failed: bool = False
