"""The ledger of an earlier run: what failed then, and what comes of it now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from vidclass._core.parallel import run_each
from vidclass.audit.model import LedgerEntry
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.types import Failure, Progress, Span
from vidclass.video.decode import decode_clip

# As many frames as are used by default.
_SAMPLING = SamplingConfig()
_GEOMETRY = GeometryConfig(size=32)


def try_again(failures: Sequence[Failure], progress: Progress) -> list[LedgerEntry]:
    """Try to read each of the videos now: frames all over it, as many as are used by default.

    Args:
        failures: The rows of the ledger.
        progress: Told of the stage `ledger`, in videos.
    """
    videos = list(dict.fromkeys(failure.video for failure in failures))
    now: dict[str, str] = {}
    with closing(run_each(_read, videos)) as results:
        for count, done in enumerate(results, 1):
            failure = done.error and Failure.from_error(done.error, video=done.item)
            now[done.item] = failure.cause if failure else ""
            progress("ledger", count, len(videos))
    return [LedgerEntry(failure, failure.cause, now[failure.video]) for failure in failures]


def _read(video: str) -> None:
    decode_clip(Path(video), span=Span(), sampling=_SAMPLING, geometry=_GEOMETRY)
