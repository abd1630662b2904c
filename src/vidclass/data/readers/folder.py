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
from vidclass.data.readers.finding import rates_of
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError


@dataclass
class _Found:
    """What the walk has met so far."""

    videos: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str | None] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    loose: int = 0
    tables: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        sentences = [f"{counted(n, what)} ignored." for what, n in self.passed_over.items() if n]
        if self.loose:
            sentences.append(f"{counted(self.loose, 'video')} outside class folders ignored.")
        if self.empty:
            sentences.append(f"folders without videos: {listed(quoted(sorted(self.empty)))}.")
        if self.tables:
            names = listed(quoted(self.tables))
            sentences.append(f"tables not read: {names}; to use one, give it as the source.")
        return sentences


def accepts(path: Path) -> bool:
    """Any folder."""
    return path.is_dir()


def read(path: Path, options: ReadOptions) -> Rows:
    """Labels are the names of the sub-folders, at any depth below which videos may lie.

    A folder of numbered pictures below a class is a video, too.

    Raises:
        ManifestError: there are no videos, or no sub-folders to name their classes.
        ManifestError: a folder of frames has no rate.
    """
    found = _Found()
    if _is_split_by_folders(path):
        for part in _sub_folders(path):
            _read_classes(part, found, split=SPLIT_WORDS.get(part.name.lower()))
    else:
        _read_classes(path, found, split=None)
    videos = [str(video) for video in found.videos]
    columns: dict[str, Sequence[str | float | None]] = {
        "video": videos,
        "label": found.labels,
        "split": found.splits,
        "fps": rates_of(videos, [None] * len(videos), options.fps),
    }
    if not found.videos:
        known = " ".join(sorted(VIDEO_EXTENSIONS))
        raise ManifestError(f"no videos below {str(path)!r}. Known extensions: {known}.")
    return Rows.from_columns(columns, found.notes())


def _is_split_by_folders(path: Path) -> bool:
    """Whether the sub-folders are splits; a class that is called `train` does not make it so."""
    names = [folder.name for folder in _sub_folders(path) if _videos_below(folder, Counter())]
    splits = [name for name in names if name.lower() in SPLIT_WORDS]
    others = sorted(set(names) - set(splits))
    if others and len({SPLIT_WORDS[name.lower()] for name in splits}) > 1:
        raise ManifestError(
            f"{str(path)!r} has the splits {', '.join(quoted(splits))} beside other folders of "
            f"videos: {listed(quoted(others))}. Move these into the splits, or out."
        )
    return bool(splits) and not others


def _read_classes(path: Path, found: _Found, *, split: str | None) -> None:
    files = [entry for entry in _entries(path) if entry.is_file()]
    loose = [file for file in files if _is_video(file)]
    found.passed_over["other file"] += len(files) - len(loose)
    found.tables += [file.name for file in files if file.suffix.lower() in table.EXTENSIONS]
    folders = [(folder, _videos_below(folder, found.passed_over)) for folder in _sub_folders(path)]
    if loose and not any(videos for _, videos in folders):
        raise ManifestError(
            f"{str(path)!r} has {counted(len(loose), 'video')} directly in it and no class "
            "sub-folders: put the videos of each class into a sub-folder named after the class, "
            "or list videos and labels in a CSV."
        )
    found.loose += len(loose)
    for folder, videos in folders:
        if not videos:
            found.empty.append(folder.name)
        found.videos += videos
        label = clean_label(folder.name)
        if videos and not label:
            raise ManifestError(
                f"the folder {str(folder)!r} names no class: a bar stands between classes. "
                "Rename it."
            )
        found.labels += [label] * len(videos)
        found.splits += [split] * len(videos)


def _videos_below(folder: Path, passed_over: Counter[str]) -> list[Path]:
    """All videos at any depth, sorted; counts what is passed over."""
    videos = []
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        passed_over["hidden folder"] += sum(_is_hidden(name) for name in folders)
        folders[:] = [name for name in folders if not _is_hidden(name)]
        taken_apart = [name for name in folders if is_image_sequence(Path(where, name))]
        videos += [Path(where, name) for name in taken_apart]
        folders[:] = [name for name in folders if name not in taken_apart]
        for name in names:
            file = Path(where, name)
            if _is_hidden(name):
                passed_over["hidden file"] += 1
            elif _is_video(file):
                videos.append(file)
            else:
                passed_over["other file"] += 1
    return sorted(videos)


def _unreadable(error: OSError) -> None:
    raise error  # os.walk would pass over the folder in silence


def _sub_folders(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_dir()]


def _entries(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if not _is_hidden(entry.name))


def _is_hidden(name: str) -> bool:
    # __MACOSX is the shadow that macOS puts into archives.
    return name.startswith(".") or name == "__MACOSX"


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_EXTENSIONS
