"""Public data sets by name: fetched, unpacked and written down, each step done once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from vidclass.config import FrozenConfig, one_line
from vidclass.data.archive import extract_archive
from vidclass.data.download import Downloaded, download
from vidclass.data.staging import move_into_place, staging_beside, why_taken
from vidclass.errors import ArchiveError, ConfigError, DownloadError, require_choice

RECORD_NAME = "vidclass-dataset.json"

Progress = Callable[[str, int, int | None], None]
"""Called with the step (`download` or `unpack`), the bytes done, and the total if known."""


@dataclass(frozen=True)
class DataSet:
    """A public data set that comes as one archive.

    `size_bytes` and `sha256` of the archive are None where nobody has written them down: then
    what comes first is taken on trust, and recorded, so that a later change can be seen.
    """

    name: str
    title: str
    url: str
    terms: str
    classes: tuple[str, ...]
    clips: int
    contents: str
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def archive_name(self) -> str:
        """The file name of the archive."""
        return self.url.rsplit("/", 1)[-1]


class DataSetRecord(FrozenConfig):
    """What `vidclass-dataset.json` in the folder of a data set says about its origin.

    `size_bytes` and `sha256` are those of the archive, `date` is in UTC (ISO 8601), and `files`
    counts what was unpacked.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    url: str
    size_bytes: int
    sha256: str
    date: str
    files: int


@dataclass(frozen=True)
class DataSetReceipt:
    """A complete data set in `folder`.

    `already_there` says that nothing had to be done.  `kept_archive` is the archive beside the
    folder if it is still there: one that this call downloaded is removed once it is unpacked, one
    that was there before is kept.
    """

    folder: Path
    record: DataSetRecord
    already_there: bool
    kept_archive: Path | None


datasets: dict[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            name="ucf101-top5",
            title="Five classes of UCF101, the subset of the Keras video classification example",
            url="https://github.com/sayakpaul/Action-Recognition-in-TensorFlow/"
            "releases/download/v1.0.0/ucf101_top5.tar.gz",
            terms="No licence is stated. The clips come from YouTube and were collected by the "
            "University of Central Florida for research: clear any other use yourself.",
            classes=("CricketShot", "PlayingCello", "Punch", "ShavingBeard", "TennisSwing"),
            clips=818,
            contents="train.csv and test.csv (video_name, tag), train/ with 594 clips and test/ "
            "with 224, AVI 320x240",
        ),
    )
}


def dataset_rows() -> list[dict[str, str]]:
    """One row a data set for a table: name, title, classes, clips, size, contents, terms."""
    return [
        {
            "name": data_set.name,
            "title": data_set.title,
            "classes": ", ".join(data_set.classes),
            "clips": str(data_set.clips),
            "size": "unknown" if data_set.size_bytes is None else f"{data_set.size_bytes} bytes",
            "contents": data_set.contents,
            "terms": data_set.terms,
        }
        for data_set in datasets.values()
    ]


def get_dataset(
    name: str,
    folder: Path,
    *,
    base_url: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> DataSetReceipt:
    """Make `folder` hold the data set `name`; whatever is already done is not done again.

    The archive is downloaded to the folder that `folder` lies in, or is taken from there if
    someone put it there by hand.  Killed at any moment, the same call completes the work.

    Args:
        name: One of `datasets`.
        folder: Empty or not there yet, unless it holds this data set.
        base_url: A mirror: the address of the folder in which the archive lies.
        sha256: What the archive must hash to, in hexadecimal.
        progress: Called with the step (`download` or `unpack`), the bytes done and their total.

    Raises:
        ConfigError: no such data set, or `folder` holds something else.
        DownloadError: the archive could not be fetched, or is not what it should be; or
            files are missing from a folder that was complete.
        ArchiveError: the archive is damaged or cannot be unpacked there.
    """
    require_choice("data set", name, datasets)
    data_set = datasets[name]
    folder = folder.resolve()  # `.` has no name, and a link could not be replaced by a folder
    expected = sha256 or data_set.sha256
    record_path = folder / RECORD_NAME
    if record_path.exists():
        record = _checked_record(record_path, data_set, expected)
        return DataSetReceipt(folder, record, True, _if_there(folder.parent, data_set))
    if reason := why_taken(folder):
        raise ConfigError(f"{folder} {reason}, without {RECORD_NAME}: name a new folder.")
    archive = folder.parent / data_set.archive_name
    was_there = archive.exists()
    report = progress or (lambda *_: None)
    downloaded = download(
        f"{base_url.rstrip('/')}/{data_set.archive_name}" if base_url else data_set.url,
        archive,
        sha256=expected,
        size_bytes=data_set.size_bytes,
        progress=lambda done, total: report("download", done, total),
    )
    record = _unpack(data_set, downloaded, folder, report)
    if not was_there:
        archive.unlink(missing_ok=True)
    return DataSetReceipt(folder, record, False, _if_there(folder.parent, data_set))


def _unpack(
    data_set: DataSet, downloaded: Downloaded, folder: Path, report: Progress
) -> DataSetRecord:
    """Unpack beside `folder`, add the record, and only then let both be seen in their place."""
    try:
        with staging_beside(folder) as staging:
            content = staging / "content"
            files = extract_archive(
                downloaded.path,
                content,
                progress=lambda done, total: report("unpack", done, total),
            )
            record = DataSetRecord(
                name=data_set.name,
                url=downloaded.url,
                size_bytes=downloaded.size_bytes,
                sha256=downloaded.sha256,
                date=datetime.now(UTC).isoformat(timespec="seconds"),
                files=len(files),
            )
            text = record.model_dump_json(by_alias=True, indent=2)
            (content / RECORD_NAME).write_text(text + "\n", encoding="utf-8")
            move_into_place(content, folder)
    except OSError as error:
        raise ArchiveError(
            f"cannot make {folder}: {error.strerror or error}. Check that nothing else writes "
            "there, that there is space, and run the command again."
        ) from error
    return record


def _if_there(parent: Path, data_set: DataSet) -> Path | None:
    archive = parent / data_set.archive_name
    return archive if archive.exists() else None


def _checked_record(path: Path, data_set: DataSet, sha256: str | None) -> DataSetRecord:
    try:
        record = DataSetRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DownloadError(
            f"{path} cannot be read ({one_line(error)}). Remove its folder to fetch it anew."
        ) from error
    if record.name != data_set.name:
        raise ConfigError(
            f"{path.parent} holds the data set {record.name!r}: "
            f"name another folder for {data_set.name!r}."
        )
    if sha256 is not None and record.sha256 != sha256.lower():
        raise DownloadError(
            f"{path.parent} was made of an archive with the SHA-256 {record.sha256} instead of "
            f"{sha256}. Remove that folder to fetch it anew, or correct the expected value."
        )
    # The record itself is one of the files found.
    found = sum(len(names) for _, _, names in os.walk(path.parent)) - 1
    if found < record.files:
        raise DownloadError(
            f"{path.parent} holds {found} of the {record.files} files of {data_set.name!r}: some "
            "were removed. Remove that folder to fetch it anew."
        )
    return record
