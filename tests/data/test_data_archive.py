from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidclass.data import archive, archive_members
from vidclass.data.archive import extract_archive
from vidclass.data.staging import staging_beside
from vidclass.errors import ArchiveError

TREE = {
    "train.csv": b"video_name,tag\na.avi,Punch\n",
    "train/a.avi": bytes(range(256)) * 40,
    "test/deep/b.avi": b"b" * 512,
    "test/empty.avi": b"",
}


def tar_bytes(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def zip_bytes(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def special(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


MAKERS: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tar_bytes(*TREE.items()),
    "tar.gz": lambda: gzip.compress(tar_bytes(*TREE.items())),
    "tar.bz2": lambda: bz2.compress(tar_bytes(*TREE.items())),
    "tar.xz": lambda: lzma.compress(tar_bytes(*TREE.items())),
    "zip": lambda: zip_bytes(*TREE.items()),
}


def unpack(tmp_path: Path, data: bytes, **limits: int) -> list[Path]:
    path = tmp_path / "some.archive"
    path.write_bytes(data)
    return extract_archive(path, tmp_path / "out", **limits)


def refuse(tmp_path: Path, data: bytes, match: str, **limits: int) -> None:
    """The archive is refused with this message, and leaves no trace."""
    with pytest.raises(ArchiveError, match=match):
        unpack(tmp_path, data, **limits)
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.archive"]


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_is_told_by_its_content_and_unpacked_whole(tmp_path: Path, kind: str) -> None:
    files = unpack(tmp_path, MAKERS[kind]())
    out = tmp_path / "out"
    assert {file.relative_to(out).as_posix(): file.read_bytes() for file in files} == TREE
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "some.archive"]


def test_progress_counts_the_bytes_of_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(("big", os.urandom(600_000)))))
    seen: list[tuple[int, int | None]] = []
    extract_archive(path, tmp_path / "out", progress=lambda *step: seen.append(step))
    size = path.stat().st_size
    assert len(seen) > 2 and seen == sorted(seen) and seen[-1] == (size, size)


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


NAMES = {
    "/etc/passwd": "'/etc/passwd' is an absolute path",
    "../evil": "'../evil' climbs out of its folder",
    "a/../../evil": r"'a/\.\./\.\./evil' climbs out",
    "C:evil": "'C:evil' has a backslash or a drive letter",
    "a/C:/evil": "'a/C:/evil' has a backslash or a drive letter",
    "..\\evil": "has a backslash",
    "a\nb": "has a control character",
}


@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, make: Callable[..., bytes]) -> None:
    refuse(tmp_path, make(("good", b"1"), (name, b"evil")), NAMES[name])


def test_a_zero_byte_does_not_hide_the_rest_of_a_name(tmp_path: Path) -> None:
    data = zip_bytes(("good.avi_.exe", b"1")).replace(b"avi_", b"avi\0")
    refuse(tmp_path, data, r"'good.avi\\x00.exe' has a control character")


def test_a_file_without_a_name(tmp_path: Path) -> None:
    refuse(tmp_path, tar_bytes(("./.", b"1")), r"member '\./\.' names no file")


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (special("link", tarfile.SYMTYPE, "/etc"), "symbolic link"),
        (special("link", tarfile.SYMTYPE, "inside"), "symbolic link"),
        (special("link", tarfile.LNKTYPE, "../x"), "hard link"),
        (special("link", tarfile.CHRTYPE), "device or other special file"),
        (special("link", tarfile.FIFOTYPE), "device or other special file"),
    ],
)
def test_links_and_devices_in_a_tar(tmp_path: Path, member: tarfile.TarInfo, what: str) -> None:
    refuse(tmp_path, tar_bytes(member, ("link/x", b"1")), f"'link' is a {what}; only plain files")


@pytest.mark.parametrize(
    ("mode", "what"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "special file")]
)
def test_links_and_devices_in_a_zip(tmp_path: Path, mode: int, what: str) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (mode | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(info, "/etc/passwd")
    refuse(tmp_path, out.getvalue(), f"'link' is a {what}; only plain files")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
@pytest.mark.parametrize(
    ("first", "second"),
    [("a", "a"), ("a", "A"), ("x/a", "X/b"), ("a", "a/b"), ("a/b", "a"), ("\u00e9", "e\u0301")],
)
def test_names_that_overwrite_one_another(
    tmp_path: Path, first: str, second: str, make: Callable[..., bytes]
) -> None:
    refuse(tmp_path, make((first, b"1"), (second, b"2")), "would overwrite one another")


@pytest.mark.parametrize("kind", MAKERS)
def test_more_bytes_than_allowed(tmp_path: Path, kind: str) -> None:
    refuse(tmp_path, MAKERS[kind](), "unpacks to more than the 9000 bytes allowed", max_bytes=9000)


@pytest.mark.parametrize("kind", MAKERS)
def test_exactly_the_bytes_and_members_allowed(tmp_path: Path, kind: str) -> None:
    size = sum(len(data) for data in TREE.values())
    assert len(unpack(tmp_path, MAKERS[kind](), max_bytes=size, max_files=4)) == 4


@pytest.mark.parametrize("kind", MAKERS)
def test_more_members_than_allowed(tmp_path: Path, kind: str) -> None:
    refuse(tmp_path, MAKERS[kind](), "more than the 3 members allowed", max_files=3)


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    data = zip_bytes(("bomb", bytes(5_000_000)))
    size = (5_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    refuse(tmp_path, data.replace(size, (10).to_bytes(4, "little")), "damaged.*Bad CRC-32")


def test_a_zip_bomb_is_stopped_while_it_is_written(tmp_path: Path) -> None:
    data = zip_bytes(("bomb", bytes(5_000_000)))
    assert len(data) < 10_000
    refuse(tmp_path, data, "more than the 1000000 bytes allowed", max_bytes=1_000_000)


def test_a_tar_whose_bomb_is_its_padding(tmp_path: Path) -> None:
    data = gzip.compress(tar_bytes(("a", b"1")) + bytes(9_000_000))
    refuse(tmp_path, data, "unpacks to more than", max_bytes=1_000_000, max_files=10)


def test_a_tar_with_a_huge_header(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * 3_000_000}
        tar.addfile(info)
    refuse(tmp_path, gzip.compress(out.getvalue()), r"damaged.*a header of 300\d+ bytes")


def test_a_tar_with_an_endless_chain_of_headers(tmp_path: Path) -> None:
    info = special("x", tarfile.XHDTYPE)
    block = info.tobuf(tarfile.USTAR_FORMAT)
    refuse(tmp_path, gzip.compress(block * 3000), "is damaged, cut off, or no .tar")


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
def test_one_wrong_bit_is_seen(tmp_path: Path, kind: str) -> None:
    data = bytearray(MAKERS[kind]())
    data[len(data) // 3] ^= 4
    refuse(tmp_path, bytes(data), "is damaged|would overwrite|control character")


def test_a_wrong_checksum_at_the_end_is_seen(tmp_path: Path) -> None:
    data = bytearray(MAKERS["tar.gz"]())
    data[-8] ^= 1
    refuse(tmp_path, bytes(data), "CRC check failed")


def test_an_encrypted_zip(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(("a", b"1")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refuse(tmp_path, bytes(data), "is encrypted, password required")


@pytest.mark.parametrize("data", [b"", b"hello", b"<html>" * 500, gzip.compress(b"a" * 900)])
def test_no_archive_at_all(tmp_path: Path, data: bytes) -> None:
    refuse(tmp_path, data, r"some\.archive is damaged, cut off, or no \.tar")


@pytest.mark.parametrize("data", [tar_bytes(), zip_bytes(), zip_bytes(("folder/", b""))])
def test_an_archive_without_files(tmp_path: Path, data: bytes) -> None:
    refuse(tmp_path, data, "holds no files: nothing was extracted")


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
    left = tmp_path / ".out.abcd1234.unpacking"
    other = tmp_path / ".out.b.abcd1234.unpacking"
    for folder in (left, other):
        (folder / "content").mkdir(parents=True)
    with pytest.raises(ArchiveError):
        unpack(tmp_path, b"no archive")
    assert left.exists()
    unpack(tmp_path, MAKERS["zip"]())
    assert not left.exists() and other.exists()


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


def test_a_jump_back_is_refused(tmp_path: Path) -> None:
    reader = archive_members._ForwardReader(tmp_path, io.BytesIO(b"abc"), 10)
    assert reader.read(2) == b"ab" and reader.seek(9) == 3
    with pytest.raises(tarfile.ReadError, match="a jump from byte 3 back to 1"):
        reader.seek(1)


PARTS = st.sampled_from(["a", "A", "b", "..", ".", "", "C:", "x\\y", "\u00e9", "e\u0301", "\0"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=4))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_nothing_is_ever_written_outside(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    data = tar_bytes(*((name, b"1") for name in names))
    try:
        files = unpack(tmp_path, data)
    except ArchiveError:
        files = []
    outside = {entry.name for entry in tmp_path.iterdir()} - {"out", "some.archive"}
    assert not outside
    assert len(files) in (0, len(names))
    assert all(file.read_bytes() == b"1" for file in files)
