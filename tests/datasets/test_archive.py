"""Archives that are whole, or damaged, or find no space."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from archive_files import MAKERS, TREE, refuse, special, tar_bytes, unpack
from vidclass.datasets import archive
from vidclass.datasets.archive import extract_archive, space_shortage, staging_beside
from vidclass.errors import ArchiveError


@pytest.mark.parametrize("kind", MAKERS)
def test_every_format_is_recognised_by_its_content(tmp_path: Path, kind: str) -> None:
    files = unpack(tmp_path, MAKERS[kind]())
    out = tmp_path / "out"
    assert {file.relative_to(out).as_posix(): file.read_bytes() for file in files} == TREE
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "some.archive"]


def test_progress_counts_the_bytes_of_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(("big", os.urandom(600_000)))))
    steps: list[tuple[int, int | None]] = []
    extract_archive(path, tmp_path / "out", progress=lambda *step: steps.append(step))
    size = path.stat().st_size
    assert len(steps) > 2 and steps == sorted(steps) and steps[-1] == (size, size)


def test_folders_and_the_root_itself_may_be_members(tmp_path: Path) -> None:
    root = special("./", tarfile.DIRTYPE)
    files = unpack(tmp_path, tar_bytes(root, special("a/", tarfile.DIRTYPE), ("./a/x", b"1")))
    assert files == [tmp_path / "out" / "a" / "x"]


def test_an_empty_target_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert len(unpack(tmp_path, MAKERS["zip"]())) == len(TREE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_permissions_are_not_taken_over(tmp_path: Path) -> None:
    info = special("run.sh", tarfile.REGTYPE)
    info.mode = 0o6777
    closed = special("closed", tarfile.DIRTYPE)
    closed.mode = 0
    unpack(tmp_path, tar_bytes(closed, info, ("closed/x", b"1")))
    mask = os.umask(0)
    os.umask(mask)
    out = tmp_path / "out"
    modes = [stat.S_IMODE((out / name).stat().st_mode) for name in ("", "closed", "run.sh")]
    assert modes == [0o777 & ~mask, 0o777 & ~mask, 0o666 & ~mask]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_archive(tmp_path: Path, kind: str, part: float) -> None:
    data = MAKERS[kind]()
    if kind == "tar":
        data = data[:13312]  # what follows is padding
    refuse(tmp_path, data[: int(len(data) * part)], r"is damaged, cut off.*Remove it and fetch")


def test_a_tar_cut_between_two_members(tmp_path: Path) -> None:
    data = tar_bytes(("a", b"1"), ("b", b"2"))
    refuse(tmp_path, data[:1024], "without the mark that ends a tar")
    refuse(tmp_path, gzip.compress(data[:1024]), "without the mark that ends a tar")


def test_a_tar_with_a_damaged_header_in_the_middle(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(("a", b"1"), ("b", b"2")))
    data[1024 + 148] ^= 1
    refuse(tmp_path, bytes(data), "is damaged")


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_one_wrong_bit_is_detected(tmp_path: Path, kind: str) -> None:
    data = bytearray(MAKERS[kind]())
    data[len(data) // 3] ^= 4
    refuse(tmp_path, bytes(data), "is damaged|would overwrite|control character")


def test_a_wrong_checksum_at_the_end_is_detected(tmp_path: Path) -> None:
    data = bytearray(MAKERS["tar.gz"]())
    data[-8] ^= 1
    refuse(tmp_path, bytes(data), "CRC check failed")


def test_no_such_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot unpack .*none\.zip into .*No such file"):
        extract_archive(tmp_path / "none.zip", tmp_path / "out")


def test_a_target_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep me")
    with pytest.raises(ArchiveError, match="out is there already and not empty: name a new"):
        unpack(tmp_path, MAKERS["zip"]())
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("keep me")
    with pytest.raises(ArchiveError, match="out is there already and no folder"):
        unpack(tmp_path, MAKERS["zip"]())


def test_the_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(ArchiveError, match="out is the current folder: name a new folder"):
        unpack(tmp_path, MAKERS["zip"]())


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "move_into_place", full)
    refuse(tmp_path, MAKERS["zip"](), "cannot unpack .* No space left on device. Check that")


def test_what_a_killed_process_left_goes_when_the_folder_is_whole(tmp_path: Path) -> None:
    stale = tmp_path / ".out.abcd1234.unpacking"
    other = tmp_path / ".out.b.abcd1234.unpacking"
    for folder in (stale, other):
        (folder / "content").mkdir(parents=True)
    with pytest.raises(ArchiveError):
        unpack(tmp_path, b"no archive")
    assert stale.exists()
    unpack(tmp_path, MAKERS["zip"]())
    assert not stale.exists() and other.exists()


def test_two_extractions_at_once_the_later_one_loses(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(MAKERS["tar"]())
    out = tmp_path / "out"

    def meanwhile(*_: object) -> None:
        if not out.exists():
            extract_archive(path, out)

    with pytest.raises(ArchiveError, match="cannot unpack"):
        extract_archive(path, out, progress=meanwhile)
    assert (out / "train" / "a.avi").read_bytes() == TREE["train/a.avi"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.tar", "out"]


def test_staging_is_on_the_same_disk_and_goes(tmp_path: Path) -> None:
    with staging_beside(tmp_path / "new" / "out") as staging:
        assert staging.parent == tmp_path / "new"
    assert not staging.exists()


def test_space_is_measured_on_the_disk_where_the_folder_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        measured.append(path)
        return SimpleNamespace(free=1000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    assert space_shortage(tmp_path / "new" / "deep", 1000) == ""
    assert space_shortage(tmp_path, 1001) == "it takes 1.0 kB and 1.0 kB are free there"
    assert measured == [tmp_path, tmp_path]
