"""A folder with one sub-folder per class, or with train/, validation/ and test/ of such."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import clean_label
from vidclass.data.media_files import VIDEO_EXTENSIONS, is_image_sequence
from vidclass.data.readers import table
from vidclass.data.readers.locate import frame_rates
from vidclass.data.readers.reader import Reader, ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError


@dataclass
class _Scan:
    """Videos and ignored files, collected while folders are scanned."""

    videos: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    videos_outside: int = 0
    tables: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return a sentence for each kind of ignored file."""
        notes = [
            f"{counted(count, noun)} ignored." for noun, count in self.ignored.items() if count
        ]
        if self.videos_outside:
            notes.append(f"{counted(self.videos_outside, 'video')} outside class folders ignored.")
        if self.empty:
            notes.append(f"folders without videos: {listed(quoted(sorted(self.empty)))}.")
        if self.tables:
            names = listed(quoted(self.tables))
            notes.append(f"tables not read: {names}; to use one, give it as the source.")
        return notes


def accepts(path: Path) -> bool:
    """Return whether this is a folder."""
    return path.is_dir()


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the videos and image sequences at any depth below each class folder.

    Raises:
        ManifestError: there are no videos or no class folders, or an image sequence has no rate.
    """
    scan = _Scan()
    if _is_split_by_folders(path):
        for folder in _subfolders(path):
            _scan_classes(folder, scan, split=SPLIT_WORDS.get(folder.name.lower()))
    else:
        _scan_classes(path, scan, split=None)
    if not scan.videos:
        extensions = " ".join(sorted(VIDEO_EXTENSIONS))
        raise ManifestError(f"no videos below {str(path)!r}. Known extensions: {extensions}.")
    videos = [str(video) for video in scan.videos]
    columns: dict[str, Sequence[str | float | None]] = {
        "video": videos,
        "label": scan.labels,
        "split": scan.splits,
        "fps": frame_rates(videos, [None] * len(videos), options.fps),
    }
    return Rows.from_columns(columns, scan.notes())


def _is_split_by_folders(path: Path) -> bool:
    """Return whether the sub-folders are splits; one class called `train` does not make it so."""
    names = [folder.name for folder in _subfolders(path) if _videos_below(folder, Counter())]
    splits = [name for name in names if name.lower() in SPLIT_WORDS]
    others = sorted(set(names) - set(splits))
    if others and len({SPLIT_WORDS[name.lower()] for name in splits}) > 1:
        raise ManifestError(
            f"{str(path)!r} has the splits {', '.join(quoted(splits))} beside other folders of "
            f"videos: {listed(quoted(others))}. Move these into the splits, or out."
        )
    return bool(splits) and not others


def _scan_classes(path: Path, scan: _Scan, *, split: str | None) -> None:
    files = [entry for entry in _entries(path) if entry.is_file()]
    outside = [file for file in files if _is_video(file)]
    scan.ignored["other file"] += len(files) - len(outside)
    scan.tables += [file.name for file in files if file.suffix.lower() in table.EXTENSIONS]
    folders = [(folder, _videos_below(folder, scan.ignored)) for folder in _subfolders(path)]
    if outside and not any(videos for _, videos in folders):
        raise ManifestError(
            f"{str(path)!r} has {counted(len(outside), 'video')} directly in it and no class "
            "sub-folders: put the videos of each class into a sub-folder named after the class, "
            "or list videos and labels in a CSV."
        )
    scan.videos_outside += len(outside)
    for folder, videos in folders:
        if not videos:
            scan.empty.append(folder.name)
        scan.videos += videos
        label = clean_label(folder.name)
        if videos and not label:
            raise ManifestError(
                f"the folder {str(folder)!r} names no class: a bar stands between classes. "
                "Rename it."
            )
        scan.labels += [label] * len(videos)
        scan.splits += [split] * len(videos)


def _videos_below(folder: Path, ignored: Counter[str]) -> list[Path]:
    """Return all videos at any depth, sorted; count ignored files in `ignored`."""
    videos = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        ignored["hidden folder"] += sum(_is_hidden(name) for name in folders)
        folders[:] = [name for name in folders if not _is_hidden(name)]
        sequences = [name for name in folders if is_image_sequence(Path(parent, name))]
        videos += [Path(parent, name) for name in sequences]
        folders[:] = [name for name in folders if name not in sequences]
        for name in names:
            file = Path(parent, name)
            if _is_hidden(name):
                ignored["hidden file"] += 1
            elif _is_video(file):
                videos.append(file)
            else:
                ignored["other file"] += 1
    return sorted(videos)


def _raise(error: OSError) -> None:
    raise error  # os.walk would silently skip the folder


def _subfolders(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_dir()]


def _entries(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if not _is_hidden(entry.name))


def _is_hidden(name: str) -> bool:
    # macOS puts __MACOSX, a copy of attributes, into archives.
    return name.startswith(".") or name == "__MACOSX"


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_EXTENSIONS


READER = Reader(
    "folder",
    "a folder with one sub-folder per class",
    accepts,
    read,
    frozenset({"fps"}),
    general=True,
)
