"""The origin of a data set, in `vidclass-dataset.json` in its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from vidclass.config import FrozenConfig
from vidclass.config.base import one_line
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.datasets.catalogue import DataSet
from vidclass.errors import ConfigError, DownloadError

RECORD_NAME = "vidclass-dataset.json"
_SCHEMA_1_FIELDS = ("url", "size_bytes", "sha256")


class ArchiveRecord(FrozenConfig):
    """An archive as it was downloaded."""

    url: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file name."""
        return self.url.rsplit("/", 1)[-1]


class DataSetRecord(FrozenConfig):
    """The origin of a data set: `date` in UTC (ISO 8601), `files` the number of unpacked files."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    name: str
    archives: tuple[ArchiveRecord, ...]
    date: str
    files: int

    @model_validator(mode="before")
    @classmethod
    def _from_schema_1(cls, value: Any) -> Any:
        """Convert the first schema, which had the fields of its one archive at the top level."""
        if not isinstance(value, dict) or value.get("schema") != 1:
            return value
        rest = {name: item for name, item in value.items() if name not in _SCHEMA_1_FIELDS}
        archive = {name: value[name] for name in _SCHEMA_1_FIELDS if name in value}
        return rest | {"schema": 2, "archives": (archive,)}


def checked_record(path: Path, data_set: DataSet, sha256: Mapping[str, str]) -> DataSetRecord:
    """Return the record at `path` if its folder still holds that data set, complete.

    Args:
        path: The record.
        data_set: The data set that the folder must hold.
        sha256: Expected hashes of the archives, by their names.

    Raises:
        ConfigError: the folder holds another data set.
        DownloadError: the record cannot be read, other archives were unpacked, or files are gone.
    """
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
    for archive in record.archives:
        expected = sha256.get(archive.name, archive.sha256)
        if archive.sha256 != expected:
            raise DownloadError(
                f"{path.parent} was made of an archive, {archive.name}, with the SHA-256 "
                f"{archive.sha256} instead of {expected}. Remove that folder to fetch it anew, or "
                "correct the expected value."
            )
    file_count = len(files_below(path.parent)) - 1  # the record itself is one of them
    if file_count < record.files:
        raise DownloadError(
            f"{path.parent} holds {file_count} of the {record.files} files of {data_set.name!r}: "
            "some were removed. Remove that folder to fetch it anew."
        )
    return record


def files_below(folder: Path) -> list[Path]:
    """Return all files at any depth."""
    return [Path(where, name) for where, _, names in os.walk(folder) for name in names]


def clips_below(folder: Path) -> int:
    """Return the number of videos at any depth."""
    return sum(file.suffix.lower() in VIDEO_EXTENSIONS for file in files_below(folder))
