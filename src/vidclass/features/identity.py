"""Identity of clips: hashes of video content, cached so that unchanged files are not read again."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidclass._core.files import cache_folder, fingerprint_of
from vidclass._core.parallel import Done, run_each
from vidclass._core.sqlite_cache import SqliteCache
from vidclass.data.clip import Clip
from vidclass.errors import VidclassError, VideoError
from vidclass.types import Progress, Span
from vidclass.video.container import file_stat, require_max_pixels, video_errors
from vidclass.video.image_sequence import numbered_images

# Coarsest clock of a file system: a file written this shortly before it was read may be written
# again without a change of its times.
CLOCK_TICK_NS = 2_000_000_000
# The number changes with the columns of the table.
_FILE_NAME = "video-hashes-1.sqlite"
_TABLE = "CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, facts TEXT, sha256 TEXT)"
_WRITE_ROWS = 64


class FileSignature(NamedTuple):
    """Metadata that changes whenever the bytes of a file do.

    An image sequence has the sum of its images' sizes and the latest of their times, since any
    change to an image, or to the list of them, is later than that.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def from_stat(cls, stat: os.stat_result) -> FileSignature:
        """Return the signature of a file with these metadata."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    @classmethod
    def from_path(cls, path: Path) -> FileSignature:
        """Return the signature of a file or an image sequence.

        Raises:
            VideoError: the path does not exist, or is neither.
        """
        if not os.path.isdir(path):
            return cls.from_stat(file_stat(path))
        images = numbered_images(path)
        with video_errors(path):
            folder = cls.from_stat(path.stat())
            signatures = [cls.from_stat(image.stat()) for image in images]
        return folder._replace(
            size=sum(signature.size for signature in signatures),
            mtime_ns=max(signature.mtime_ns for signature in signatures),
            # Other files in the folder may come and go: that changes its ctime only.
            ctime_ns=max(folder.ctime_ns, *(signature.ctime_ns for signature in signatures)),
        )

    def __str__(self) -> str:
        """Return all values as one text."""
        return ":".join(map(str, self))


@dataclass(frozen=True)
class VideoIdentity:
    """Content of a video file or an image sequence.

    Attributes:
        path: The file or folder.
        sha256: SHA-256 of its bytes, in hexadecimal; for an image sequence, of the names and bytes
            of its images.
        signature: Metadata of the file while it had these bytes.
    """

    path: Path
    sha256: str
    signature: FileSignature

    def require_unchanged(self) -> None:
        """Require the same bytes after decoding, because the frames are stored under their hash.

        Raises:
            VideoError: the file has changed since, or is gone.
        """
        now = FileSignature.from_path(self.path)
        if now == self.signature:
            return
        # A new name, permissions or hard links change the ctime, which is last, and no byte.
        if now[:-1] != self.signature[:-1] or hash_video(self.path).sha256 != self.sha256:
            raise _changed(self.path)


def clip_key(video_sha256: str, span: Span, fps: float | None = None) -> str:
    """Return the store key of a clip: a hash of its video's content, its span and its frame rate.

    The frame rate of an image sequence selects the images in the span; a video has none here.
    """
    rate = [] if fps is None else [fps]
    return fingerprint_of([video_sha256, span.start_s, span.stop_s, *rate])


def identify_clips(
    clips: Sequence[Clip], fail: Callable[[str, VidclassError], None], progress: Progress
) -> tuple[dict[Path, VideoIdentity], list[str | None]]:
    """Return the identity of each readable video, and the key of each clip, None if unreadable.

    Args:
        clips: The clips.
        fail: Function called with the path of each unreadable video, and its error.
        progress: Callback; reports stage `hash`.
    """
    identities: dict[Path, VideoIdentity] = {}
    videos = list(dict.fromkeys(clip.video for clip in clips))
    with closing(identify(videos)) as results:
        for count, done in enumerate(results, 1):
            if done.error is not None:
                fail(str(done.item), done.error)
            elif done.result is not None:
                identities[done.item] = done.result
            progress("hash", count, len(videos))
    keys = [
        clip_key(identity.sha256, clip.span, clip.fps)
        if (identity := identities.get(clip.video))
        else None
        for clip in clips
    ]
    return identities, keys


def hash_video(path: Path) -> VideoIdentity:
    """Hash all of a file, or all images of a sequence.

    Raises:
        VideoError: it cannot be read, is no regular file, or changed while it was read.
    """
    if os.path.isdir(path):
        return _hash_images(path)
    signature = FileSignature.from_path(path)  # refuses a pipe or a device before opening it
    with video_errors(path), path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        after = FileSignature.from_stat(os.fstat(file.fileno()))
    if after != signature:
        raise _changed(path)
    return VideoIdentity(path, sha256, signature)


def _hash_images(folder: Path) -> VideoIdentity:
    signature = FileSignature.from_path(folder)
    digest = hashlib.sha256(b"image sequence\n")
    for image in numbered_images(folder):
        with video_errors(image):
            data = image.read_bytes()
        name = os.fsencode(image.name)
        # With the lengths first, no other names and bytes give the same text.
        digest.update(f"{len(name)} {len(data)} ".encode() + name + data)
    if FileSignature.from_path(folder) != signature:
        raise _changed(folder)
    return VideoIdentity(folder, digest.hexdigest(), signature)


def identify(videos: Iterable[Path]) -> Generator[Done[Path, VideoIdentity], None, None]:
    """Yield the identity of each video, or the error that it cannot be read.

    A file that is unchanged since it was last hashed is not opened.  These come first, then the
    others, hashed in threads; each in the order given.

    Raises:
        ConfigError: `VIDCLASS_MAX_PIXELS` is not valid, so that no video could be opened.
    """
    require_max_pixels()
    with closing(_HashCache(cache_folder() / _FILE_NAME)) as cache:
        uncached = []
        for video in videos:
            identity = cache.find(video)
            if identity is None:
                uncached.append(video)
            else:
                yield Done(video, identity)
        with closing(run_each(_hash_timed, uncached)) as results:
            for done in results:
                if done.result is None:
                    yield Done(done.item, None, done.error)
                    continue
                began_ns, identity = done.result
                cache.add(identity, began_ns)
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


class _HashCache:
    """Best-effort SQLite cache of file hashes; any error disables it."""

    def __init__(self, file: Path) -> None:
        self._cache = SqliteCache(file, _TABLE)
        self._rows: list[tuple[bytes, str, str]] = []

    def find(self, path: Path) -> VideoIdentity | None:
        """Return the identity of a file that is unchanged since it was hashed, else None."""
        try:
            signature = FileSignature.from_path(path)
        except VideoError:
            # Hashing the file raises it again.
            return None
        query = "SELECT sha256 FROM hashes WHERE path = ? AND facts = ? AND length(sha256) = 64"
        rows = self._cache.run(query, [(_path_bytes(path), str(signature))])
        return VideoIdentity(path, rows[0][0], signature) if rows else None

    def add(self, identity: VideoIdentity, began_ns: int) -> None:
        """Add a file, unless it was written just before hashing began."""
        changed_ns = max(identity.signature.mtime_ns, identity.signature.ctime_ns)
        if began_ns - changed_ns < CLOCK_TICK_NS:
            return
        self._rows.append((_path_bytes(identity.path), str(identity.signature), identity.sha256))
        if len(self._rows) >= _WRITE_ROWS:
            self._write()

    def close(self) -> None:
        """Write the remaining rows."""
        self._write()
        self._cache.close()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        self._cache.run("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", rows)


def _path_bytes(path: Path) -> bytes:
    # Paths need not be valid text.
    return os.fsencode(os.path.abspath(path))
