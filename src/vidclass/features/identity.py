"""The keys of clips: what the bytes of a video are, without reading an unchanged file again."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidclass._core.files import cache_folder
from vidclass._core.parallel import Done, run_each
from vidclass.data.clip import Clip
from vidclass.errors import VidclassError, VideoError
from vidclass.types import Progress, Span
from vidclass.video.container import file_stat, require_max_pixels, video_errors
from vidclass.video.image_sequence import numbered_images

# The number changes with the columns of the table.
_FILE_NAME = "video-hashes-1.sqlite"
_TABLE = "CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, facts TEXT, sha256 TEXT)"
# A clock of a file system may stand still for so long: a file that was written to this short a
# time before it was read may be written to once more without a trace.
_CLOCK_TICK_NS = 2_000_000_000
_WRITE_ROWS = 64
_BUSY_S = 5.0


class FileFacts(NamedTuple):
    """What the system says of a file; when its bytes change, so does this.

    A folder of pictures has the sum of their sizes and the latest of their times.  Whatever is
    done to a picture, and to the list of them, is done later than that.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> FileFacts:
        """Those of a file."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    @classmethod
    def at(cls, path: Path) -> FileFacts:
        """Those of a file, or of a folder of pictures.

        Raises:
            VideoError: there is none, or it is neither.
        """
        if not os.path.isdir(path):
            return cls.of(file_stat(path))
        pictures = numbered_images(path)
        with video_errors(path):
            folder = cls.of(path.stat())
            each = [cls.of(picture.stat()) for picture in pictures]
        return folder._replace(
            size=sum(facts.size for facts in each),
            mtime_ns=max(facts.mtime_ns for facts in each),
            # What else lies in the folder may come and go: that changes this alone.
            ctime_ns=max(folder.ctime_ns, *(facts.ctime_ns for facts in each)),
        )

    def __str__(self) -> str:
        """One text for all of them."""
        return ":".join(map(str, self))


@dataclass(frozen=True)
class VideoIdentity:
    """The content of a video file, or of a folder of pictures.

    Attributes:
        path: The file or folder.
        sha256: Of its bytes, in hexadecimal; for a folder, of its pictures' names and bytes.
        facts: What the system said of the file when these were its bytes.
    """

    path: Path
    sha256: str
    facts: FileFacts

    def require_unchanged(self) -> None:
        """Call this after decoding: what was decoded is stored under the key of these bytes.

        Raises:
            VideoError: the file has changed since, or is gone.
        """
        now = FileFacts.at(self.path)
        # A new name, new rights or one more hard link change the last fact, and no byte.
        if now[:-1] != self.facts[:-1] or (now != self.facts and not self._has_these_bytes()):
            raise _changed(self.path)

    def _has_these_bytes(self) -> bool:
        return hash_video(self.path).sha256 == self.sha256


def clip_key(video_sha256: str, span: Span, fps: float | None = None) -> str:
    """A key of one clip: the bytes of its video, whatever its name, and its span.

    The rate of a folder of pictures counts too: it decides which of them lie in the span.
    """
    rate = [] if fps is None else [fps]
    text = json.dumps([video_sha256, span.start_s, span.stop_s, *rate])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def identify_clips(
    clips: Sequence[Clip], fail: Callable[[str, VidclassError], None], progress: Progress
) -> tuple[dict[Path, VideoIdentity], list[str | None]]:
    """The content of each video, and the key of each clip; None where the video cannot be read.

    Args:
        clips: The clips.
        fail: Told of each video that cannot be read, and why.
        progress: Told of the stage `hash`.
    """
    found: dict[Path, VideoIdentity] = {}
    videos = list(dict.fromkeys(clip.video for clip in clips))
    with closing(identify(videos)) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                fail(str(done.item), done.error)
            elif done.result is not None:
                found[done.item] = done.result
            progress("hash", count, len(videos))
    return found, [
        clip_key(found[clip.video].sha256, clip.span, clip.fps) if clip.video in found else None
        for clip in clips
    ]


def hash_video(path: Path) -> VideoIdentity:
    """Read all of a file, or all numbered pictures of a folder.

    Raises:
        VideoError: it cannot be read, is no regular file, or changed meanwhile.
    """
    if os.path.isdir(path):
        return _hash_pictures(path)
    facts = FileFacts.at(path)  # a pipe or a device is refused before it is opened
    with video_errors(path), path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        after = FileFacts.of(os.fstat(file.fileno()))
    if after != facts:
        raise _changed(path)
    return VideoIdentity(path, sha256, facts)


def _hash_pictures(folder: Path) -> VideoIdentity:
    facts = FileFacts.at(folder)
    digest = hashlib.sha256(b"a folder of pictures\n")
    for picture in numbered_images(folder):
        with video_errors(picture):
            data = picture.read_bytes()
        name = os.fsencode(picture.name)
        # Lengths first: no other names and bytes make the same text.
        digest.update(f"{len(name)} {len(data)} ".encode() + name + data)
    if FileFacts.at(folder) != facts:
        raise _changed(folder)
    return VideoIdentity(folder, digest.hexdigest(), facts)


def identify(videos: Iterable[Path]) -> Generator[Done[Path, VideoIdentity], None, None]:
    """The content of each video, or why it cannot be read.

    A file that has not changed since it was last read is not opened.  Those come first, then,
    read in threads, the others; both in the order given.

    Raises:
        ConfigError: `VIDCLASS_MAX_PIXELS` is wrong; no video could be opened with it.
    """
    require_max_pixels()
    with closing(_Hashes(cache_folder() / _FILE_NAME)) as hashes:
        unknown = []
        for video in videos:
            known = hashes.find(video)
            if known is None:
                unknown.append(video)
            else:
                yield Done(video, known)
        with closing(run_each(_hash_timed, unknown)) as results:
            for done in results:
                if done.result is None:
                    yield Done(done.item, None, done.error)
                    continue
                began_ns, identity = done.result
                hashes.keep(identity, began_ns)
                yield Done(done.item, identity)


def _hash_timed(path: Path) -> tuple[int, VideoIdentity]:
    return time.time_ns(), hash_video(path)


def _changed(path: Path) -> VideoError:
    return VideoError(
        path,
        "changed while it was being read",
        hint="Run the same command again once nothing writes to it.",
        stage="extract",
        lasting=False,
    )


class _Hashes:
    """What files hashed to when they were last read: a small database, and a help, no need.

    When it is damaged, locked or cannot be written, every file is simply read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: list[tuple[bytes, str, str]] = []
        self._connection: sqlite3.Connection | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, timeout=_BUSY_S, check_same_thread=False)
            self._connection.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            self._do_without(error)

    def find(self, path: Path) -> VideoIdentity | None:
        """The file's content, if the file is as it was when that was learnt."""
        try:
            if self._connection is None:
                return None
            facts = FileFacts.at(path)
            query = "SELECT sha256 FROM hashes WHERE path = ? AND facts = ? AND length(sha256) = 64"
            row = self._connection.execute(query, (_name(path), str(facts))).fetchone()
        except VideoError:
            # It is said when the file is read.
            return None
        except sqlite3.Error as error:
            self._do_without(error)
            return None
        return VideoIdentity(path, row[0], facts) if row else None

    def keep(self, identity: VideoIdentity, began_ns: int) -> None:
        """Remember a file that was not written to just before it was read."""
        if began_ns - max(identity.facts.mtime_ns, identity.facts.ctime_ns) < _CLOCK_TICK_NS:
            return
        self._rows.append((_name(identity.path), str(identity.facts), identity.sha256))
        if len(self._rows) >= _WRITE_ROWS:
            self._write()

    def close(self) -> None:
        """Write what is left."""
        self._write()
        if self._connection is not None:
            self._connection.close()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if self._connection is None or not rows:
            return
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        # SQLite says "operational" of what may be better the next time; the rest is damage.
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            with suppress(OSError):
                self._file.unlink()


def _name(path: Path) -> bytes:
    # Names need not be text.
    return os.fsencode(os.path.abspath(path))
