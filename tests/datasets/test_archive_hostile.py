"""Hostile archives."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive_files import MAKERS, TREE, refuse, special, tar_bytes, unpack, zip_bytes
from vidclass.datasets.archive_members import ForwardReader
from vidclass.errors import ArchiveError

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


def test_an_encrypted_zip(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(("a", b"1")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refuse(tmp_path, bytes(data), "is encrypted, password required")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html>" * 500, gzip.compress(b"a" * 900, mtime=0)]
)
def test_no_archive_at_all(tmp_path: Path, data: bytes) -> None:
    refuse(tmp_path, data, r"some\.archive is damaged, cut off, or no \.tar")


@pytest.mark.parametrize("data", [tar_bytes(), zip_bytes(), zip_bytes(("folder/", b""))])
def test_an_archive_without_files(tmp_path: Path, data: bytes) -> None:
    refuse(tmp_path, data, "holds no files: nothing was extracted")


def test_a_jump_back_is_refused(tmp_path: Path) -> None:
    reader = ForwardReader(tmp_path, io.BytesIO(b"abc"), 10)
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
