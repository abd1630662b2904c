"""Public data sets by name: fetched, unpacked and written down, each step done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vidclass.datasets.assembly import assemble
from vidclass.datasets.catalogue import Archive, DataSet, datasets
from vidclass.datasets.download import Downloaded, download
from vidclass.datasets.rar import require_rar_tool
from vidclass.datasets.record import (
    RECORD_NAME,
    ArchiveRecord,
    DataSetRecord,
    checked_record,
    clips_below,
    files_below,
)
from vidclass.datasets.space import lacking_space
from vidclass.datasets.staging import move_into_place, staging_beside, why_taken
from vidclass.errors import ArchiveError, ConfigError, DownloadError, require_choice

Progress = Callable[[str, int, int | None], None]
"""Called with the step (`download` or `unpack`), the bytes done, and the total if known."""


@dataclass(frozen=True)
class DataSetReceipt:
    """A complete data set in `folder`.

    `already_there` says that nothing had to be done, `clips` how many videos there are.
    `kept_archives` are those beside the folder: what this call downloaded is removed once it is
    unpacked, what was there before is kept.
    """

    folder: Path
    record: DataSetRecord
    clips: int
    already_there: bool
    kept_archives: tuple[Path, ...]


def get_dataset(
    name: str,
    folder: Path,
    *,
    base_url: str | None = None,
    sha256: str | Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> DataSetReceipt:
    """Make `folder` hold the data set `name`; whatever is already done is not done again.

    The archives are downloaded to the folder that `folder` lies in, or are taken from there if
    someone put them there by hand.  Killed at any moment, the same call completes the work.

    Args:
        name: One of `datasets`.
        folder: Empty or not there yet, unless it holds this data set.
        base_url: A mirror: the address of the folder in which the archives lie.
        sha256: What the archives must hash to, in hexadecimal, by their file names; for a data
            set of one archive the hash alone will do.
        progress: Called with the step (`download` or `unpack`), the bytes done and their total.

    Raises:
        ConfigError: no such data set or archive, or `folder` holds something else.
        DownloadError: an archive could not be fetched, or is not what it should be; or
            files are missing from a folder that was complete.
        ArchiveError: an archive is damaged or cannot be unpacked there; or there is no tool for
            it, or no room, which is found out before anything is fetched.
    """
    require_choice("data set", name, datasets)
    data_set = datasets[name]
    folder = folder.resolve()  # `.` has no name, and a link could not be replaced by a folder
    expected = _expected_hashes(data_set, sha256)
    record_path = folder / RECORD_NAME
    if record_path.exists():
        record = checked_record(record_path, data_set, expected)
        return _receipt(folder, record, data_set, already_there=True)
    if reason := why_taken(folder):
        raise ConfigError(f"{folder} {reason}, without {RECORD_NAME}: name a new folder.")
    _require_tools_and_room(data_set, folder)
    report = progress or (lambda *_: None)
    were_there = [place for place in _places(folder, data_set) if place.exists()]
    downloaded = [
        _fetch(archive, folder.parent, base_url, expected.get(archive.name), report)
        for archive in data_set.archives
    ]
    record = _unpack(data_set, downloaded, folder, report)
    for place in _places(folder, data_set):
        if place not in were_there:
            place.unlink(missing_ok=True)
    return _receipt(folder, record, data_set, already_there=False)


def _expected_hashes(data_set: DataSet, given: str | Mapping[str, str] | None) -> dict[str, str]:
    names = [archive.name for archive in data_set.archives]
    if isinstance(given, str):
        if len(names) > 1:
            raise ConfigError(
                f"sha256={given!r} could be that of any of {', '.join(names)}: say FILE=HASH."
            )
        given = {names[0]: given}
    for name in given or {}:
        require_choice("archive", name, names)
    known = {archive.name: archive.sha256 for archive in data_set.archives if archive.sha256}
    return known | {name: value.lower() for name, value in (given or {}).items()}


def _require_tools_and_room(data_set: DataSet, folder: Path) -> None:
    """Better found out now than after hours."""
    for archive in data_set.archives:
        if archive.name.endswith(".rar"):
            require_rar_tool(Path(archive.name))
    # Videos hardly pack: what comes out is about as large as what goes in.
    there = sum(place.stat().st_size for place in _places(folder, data_set) if place.exists())
    if lack := lacking_space(folder, 2 * (data_set.download_bytes or 0) - there):
        raise ArchiveError(
            f"there is no room for {data_set.name} in {folder.parent}: with its archives {lack}. "
            "Free some space or choose another folder, and run the command again."
        )


def _places(folder: Path, data_set: DataSet) -> list[Path]:
    return [folder.parent / archive.name for archive in data_set.archives]


def _fetch(
    archive: Archive, into: Path, base_url: str | None, sha256: str | None, report: Progress
) -> Downloaded:
    downloaded = download(
        f"{base_url.rstrip('/')}/{archive.name}" if base_url else archive.url,
        into / archive.name,
        sha256=sha256,
        size_bytes=archive.size_bytes,
        progress=lambda done, total: report("download", done, total),
    )
    if archive.md5 is not None:
        with downloaded.path.open("rb") as file:
            # Against accidents only, but it is what has been written down.
            found = hashlib.file_digest(
                file, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
        if found != archive.md5:
            raise DownloadError(
                f"{downloaded.path} is not the file it should be: its MD5 is {found} instead of "
                f"{archive.md5}. Remove it and run the command again."
            )
    return downloaded


def _unpack(
    data_set: DataSet, downloaded: list[Downloaded], folder: Path, report: Progress
) -> DataSetRecord:
    """Unpack beside `folder`, add the record, and only then let all be seen in their place."""
    try:
        with staging_beside(folder) as staging:
            content = assemble(
                data_set.archives,
                [item.path for item in downloaded],
                staging,
                progress=lambda done, total: report("unpack", done, total),
            )
            record = DataSetRecord(
                name=data_set.name,
                archives=tuple(
                    ArchiveRecord(url=item.url, size_bytes=item.size_bytes, sha256=item.sha256)
                    for item in downloaded
                ),
                date=datetime.now(UTC).isoformat(timespec="seconds"),
                files=len(files_below(content)),
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


def _receipt(
    folder: Path, record: DataSetRecord, data_set: DataSet, *, already_there: bool
) -> DataSetReceipt:
    kept = tuple(place for place in _places(folder, data_set) if place.exists())
    return DataSetReceipt(folder, record, clips_below(folder), already_there, kept)
