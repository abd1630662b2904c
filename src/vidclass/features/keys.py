"""Keys of clips: the bytes of the video, whatever its name, and the span."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from vidclass.data.manifest import Clip
from vidclass.engine.local import run_each
from vidclass.errors import VidclassError
from vidclass.files import sha256_of
from vidclass.types import Progress, Span
from vidclass.video.container import reading


def clip_keys(
    rows: Sequence[Clip], fail: Callable[[str, VidclassError], None], progress: Progress
) -> list[str | None]:
    """The store's key of each clip; None where the video cannot be read at all."""
    hashes: dict[Path, str] = {}
    videos = list(dict.fromkeys(row.video for row in rows))
    with closing(run_each(_hash, videos)) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                fail(str(done.item), done.error)
            elif done.result is not None:
                hashes[done.item] = done.result
            progress("hash", count, len(videos))
    return [clip_key(hashes[row.video], row.span) if row.video in hashes else None for row in rows]


def clip_key(video_sha256: str, span: Span) -> str:
    """A key of one clip: the bytes of its video, whatever its name, and its span."""
    text = json.dumps([video_sha256, span.start_s, span.stop_s])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _hash(path: Path) -> str:
    with reading(path):
        return sha256_of(path)
