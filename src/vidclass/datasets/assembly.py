"""Put the contents of several archives together into the folder of one data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vidclass.datasets.archive import extract_archive
from vidclass.datasets.catalogue import Archive
from vidclass.errors import ArchiveError

_ARCHIVE_ENDINGS = (".rar", ".zip", ".tar", ".tar.gz", ".tgz")


def assemble(
    archives: Sequence[Archive],
    paths: Sequence[Path],
    staging: Path,
    *,
    progress: Callable[[int, int | None], None],
) -> Path:
    """Unpack each archive to its place in one new folder, and return that.

    Args:
        archives: What is known of them.
        paths: Where they lie.
        staging: An empty folder to work in.
        progress: Called with the bytes of the archives done so far and their size.

    Raises:
        ArchiveError: an archive is damaged or does harm, or two want the same place.
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
            _unpack_nested(path, unpacked)
        _move_all(path, _inner(unpacked), content / archive.into)
    return content


def _unpack_nested(path: Path, folder: Path) -> None:
    """Unpack what archives there are, each into a folder of its name, and remove them."""
    inner = [file for file in sorted(folder.rglob("*")) if _is_archive(file)]
    if not inner:
        raise ArchiveError(
            f"{path} holds no archives, as it should: its makers have changed it. Unpack it by "
            "hand, and give the folder with its classes as the source."
        )
    for file in inner:
        place = file.with_name(f".{file.name}.unpacked")
        extract_archive(file, place)
        file.unlink()
        _move_all(file, _inner(place), file.with_name(file.name.split(".")[0]))


def _is_archive(file: Path) -> bool:
    return file.name.lower().endswith(_ARCHIVE_ENDINGS) and file.is_file()


def _inner(folder: Path) -> Path:
    """The only folder there is in `folder`, if there is nothing else, else `folder` itself."""
    # macOS leaves hidden files and a shadow folder in archives.
    entries = [e for e in folder.iterdir() if not e.name.startswith((".", "__MACOSX"))]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def _move_all(path: Path, source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if place.exists():
            raise ArchiveError(
                f"{path} holds {entry.name!r}, which another archive holds too. Unpack them by "
                "hand, each into a folder of its own."
            )
        entry.rename(place)
