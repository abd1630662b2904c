"""Fetch a public data set by name, unpack it and record its origin, each step once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vidclass.datasets.archive import (
    extract_archive,
    move_into_place,
    occupied_reason,
    space_shortage,
    staging_beside,
)
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
from vidclass.errors import ArchiveError, ConfigError, DownloadError, require_choice

Progress = Callable[[str, int, int | None], None]
"""Called with the step (`download` or `unpack`), the bytes done, and the total if known."""

_ARCHIVE_ENDINGS = (".rar", ".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class DataSetReceipt:
    """A complete data set in `folder`.

    Attributes:
        folder: The data set.
        record: Its origin, as written into the folder.
        clips: The number of videos in it.
        already_there: Nothing had to be done.
        kept_archives: Archives beside the folder.  Those that this call downloaded are removed
            once unpacked; those that were there before are kept.
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
    """Make `folder` hold the data set `name`; no step that is done already is repeated.

    The archives are downloaded to the parent of `folder`, or taken from there if someone put
    them there by hand.  After a kill at any moment, the same call completes the work.

    Args:
        name: One of `datasets`.
        folder: Empty or not there yet, unless it holds this data set.
        base_url: A mirror: the address of the folder in which the archives lie.
        sha256: Expected hashes of the archives, in hexadecimal, by their file names; for a data
            set of one archive the hash alone will do.
        progress: Called with the step (`download` or `unpack`), the bytes done and their total.

    Raises:
        ConfigError: no such data set or archive, or `folder` holds something else.
        DownloadError: an archive could not be fetched, or is not what it should be; or
            files are missing from a folder that was complete.
        ArchiveError: an archive is damaged or cannot be unpacked there; or there is no tool for
            it, or not enough space, both of which are checked before anything is fetched.
    """
    require_choice("data set", name, datasets)
    data_set = datasets[name]
    folder = folder.resolve()  # `.` has no name, and a link could not be replaced by a folder
    expected = _expected_hashes(data_set, sha256)
    record_path = folder / RECORD_NAME
    if record_path.exists():
        record = checked_record(record_path, data_set, expected)
        return _receipt(folder, record, data_set, already_there=True)
    if reason := occupied_reason(folder):
        raise ConfigError(f"{folder} {reason}, without {RECORD_NAME}: name a new folder.")
    _require_tools_and_space(data_set, folder)
    report = progress or (lambda *_: None)
    were_there = [path for path in _archive_paths(folder, data_set) if path.exists()]
    downloads = [
        _fetch(archive, folder.parent, base_url, expected.get(archive.name), report)
        for archive in data_set.archives
    ]
    record = _unpack(data_set, downloads, folder, report)
    for path in _archive_paths(folder, data_set):
        if path not in were_there:
            path.unlink(missing_ok=True)
    return _receipt(folder, record, data_set, already_there=False)


def _expected_hashes(data_set: DataSet, given: str | Mapping[str, str] | None) -> dict[str, str]:
    names = [archive.name for archive in data_set.archives]
    if isinstance(given, str):
        if len(names) > 1:
            raise ConfigError(
                f"sha256={given!r} could be that of any of {', '.join(names)}: give it by file "
                "name."
            )
        given = {names[0]: given}
    for name in given or {}:
        require_choice("archive", name, names)
    published = {archive.name: archive.sha256 for archive in data_set.archives if archive.sha256}
    return published | {name: value.lower() for name, value in (given or {}).items()}


def _require_tools_and_space(data_set: DataSet, folder: Path) -> None:
    """Check before the download what would otherwise fail hours later."""
    for archive in data_set.archives:
        if archive.name.endswith(".rar"):
            require_rar_tool(archive.name)
    # Videos hardly compress: what comes out is about as large as what goes in.
    paths = _archive_paths(folder, data_set)
    present_bytes = sum(path.stat().st_size for path in paths if path.exists())
    needed_bytes = 2 * (data_set.download_bytes or 0) - present_bytes
    if shortage := space_shortage(folder, needed_bytes):
        raise ArchiveError(
            f"there is no room for {data_set.name} in {folder.parent}: with its archives "
            f"{shortage}. Free some space or choose another folder, and run the command again."
        )


def _archive_paths(folder: Path, data_set: DataSet) -> list[Path]:
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
            # Against accidents only, but it is the hash that was published.
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        if digest.hexdigest() != archive.md5:
            raise DownloadError(
                f"{downloaded.path} is not the file it should be: its MD5 is {digest.hexdigest()} "
                f"instead of {archive.md5}. Remove it and run the command again."
            )
    return downloaded


def _unpack(
    data_set: DataSet, downloads: list[Downloaded], folder: Path, report: Progress
) -> DataSetRecord:
    """Unpack beside `folder`, add the record, and move the whole into place at last."""
    try:
        with staging_beside(folder) as staging:
            content = _assemble(
                data_set.archives,
                [item.path for item in downloads],
                staging,
                progress=lambda done, total: report("unpack", done, total),
            )
            record = DataSetRecord(
                name=data_set.name,
                archives=tuple(
                    ArchiveRecord(url=item.url, size_bytes=item.size_bytes, sha256=item.sha256)
                    for item in downloads
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


def _assemble(
    archives: Sequence[Archive],
    paths: Sequence[Path],
    staging: Path,
    *,
    progress: Callable[[int, int | None], None],
) -> Path:
    """Unpack each archive into its part of one new folder below `staging`, and return that.

    Args:
        archives: Their entries in the catalogue.
        paths: The files, in the same order.
        staging: An empty folder to work in.
        progress: Called with the bytes of the archives done so far and their size.

    Raises:
        ArchiveError: an archive is damaged or hostile, or two hold the same file.
    """
    content = staging / "content"
    content.mkdir()
    sizes = [path.stat().st_size for path in paths]
    for number, (archive, path) in enumerate(zip(archives, paths, strict=True)):
        before = sum(sizes[:number])

        def report(done: int, _: int | None, before: int = before) -> None:
            progress(before + done, sum(sizes))

        unpacked = staging / f"archive{number}"
        extract_archive(path, unpacked, progress=report)
        if archive.nested:
            unpack_nested(path, unpacked)
        move_entries(path, _without_wrapper(unpacked), content / archive.into)
    return content


def unpack_nested(path: Path, folder: Path) -> None:
    """Unpack each archive below `folder` into a folder of its name, and remove it.

    Raises:
        ArchiveError: there is no archive in what came from `path`, or one is damaged or hostile.
    """
    nested = [file for file in sorted(folder.rglob("*")) if _is_archive(file)]
    if not nested:
        raise ArchiveError(
            f"{path} holds no archives, as it should: its makers have changed it. Unpack it by "
            "hand, and give the folder with its classes as the source."
        )
    for file in nested:
        unpacked = file.with_name(f".{file.name}.unpacked")
        extract_archive(file, unpacked)
        file.unlink()
        move_entries(file, _without_wrapper(unpacked), file.with_name(file.name.split(".")[0]))


def _is_archive(file: Path) -> bool:
    return file.name.lower().endswith(_ARCHIVE_ENDINGS) and file.is_file()


def _without_wrapper(folder: Path) -> Path:
    """Return the only entry of `folder` if that is a folder, else `folder` itself."""
    # macOS leaves hidden files and a shadow folder in archives.
    entries = [e for e in folder.iterdir() if not e.name.startswith((".", "__MACOSX"))]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def move_entries(path: Path, source: Path, target: Path) -> None:
    """Move all entries of `source`, which came from the archive `path`, into `target`.

    Raises:
        ArchiveError: `target` has an entry of the same name.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        destination = target / entry.name
        if destination.exists():
            raise ArchiveError(
                f"{path} holds {entry.name!r}, which another archive holds too. Unpack them by "
                "hand, each into a folder of its own."
            )
        entry.rename(destination)


def _receipt(
    folder: Path, record: DataSetRecord, data_set: DataSet, *, already_there: bool
) -> DataSetReceipt:
    kept = tuple(path for path in _archive_paths(folder, data_set) if path.exists())
    return DataSetReceipt(folder, record, clips_below(folder), already_there, kept)
