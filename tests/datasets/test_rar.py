"""RAR archives: checked by their headers, unpacked by any tool, verified by their checksums."""

from __future__ import annotations

import stat
import struct
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive_files import TREE, refuse, unpack
from rar_files import (
    block4,
    block5,
    file4,
    file5,
    folder4,
    number5,
    put_fake_tool,
    rar4,
    rar5,
    rar_of,
    record5,
    skip_without_rar_tool,
)
from vidclass.datasets import archive, rar
from vidclass.datasets.rar import RarEntry, rar_entries, rar_tools
from vidclass.errors import ArchiveError

CONTENT = b"".join(TREE.values())
BOTH = pytest.mark.parametrize("version", [4, 5])
posix = pytest.mark.skipif(sys.platform == "win32", reason="a script is no program on Windows")


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def entries(tmp_path: Path, data: bytes) -> list[RarEntry]:
    path = tmp_path / "some.rar"
    path.write_bytes(data)
    with path.open("rb") as raw:
        return rar_entries(path, raw)


@BOTH
def test_every_tool_that_is_here_unpacks_it(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_rar_tool()
    path = tmp_path / "ä b.rar"
    path.write_bytes(rar_of(TREE, version=version))
    working = []
    for tool in rar_tools():
        monkeypatch.setattr(rar, "rar_tools", lambda tool=tool: [tool])
        try:
            files = archive.extract_archive(path, tmp_path / tool.name)
        except ArchiveError as error:
            assert f"these tools do not know ({tool.name}: " in str(error)
            continue
        assert content_of(tmp_path / tool.name) == TREE
        assert files == [tmp_path / tool.name / name for name in TREE]
        working.append(tool.name)
    assert working


@BOTH
def test_headers_give_names_sizes_checksums_and_kinds(tmp_path: Path, version: int) -> None:
    listed = entries(tmp_path, rar_of(TREE, version=version))
    files = {entry.name: (entry.size_bytes, entry.crc32) for entry in listed if not entry.is_folder}
    assert files == {name: (len(data), zlib.crc32(data)) for name, data in TREE.items()}
    assert [entry.name for entry in listed if entry.is_folder] == ["train", "test/deep", "test"]


def packed_name(name: str) -> bytes:
    """Pack a name as RAR 4 does: a plain form, a zero, and two bytes a character."""
    out = bytearray(b"?\0\0")
    for start in range(0, len(name), 4):
        part = name[start : start + 4]
        out.append(sum(2 << 6 - 2 * k for k in range(len(part))))
        out += part.encode("utf-16-le")
    return bytes(out)


def test_names_in_any_script(tmp_path: Path) -> None:
    name = "Größe 大.avi"
    plain = file4(name, b"1")
    packed = file4(packed_name(name), b"1", flags=0x200)
    utf8 = file4(name.encode(), b"1", flags=0x200)
    # The plain letters with a page of their own, then a run of them, moved by one.
    run = file4(b"abcd\0" + bytes([4, 0b11_11_01_00, 0, 0x80, 1, 0x30, ord("!")]), b"", flags=0x200)
    assert [entry.name for entry in entries(tmp_path, rar4(plain, packed, utf8))] == [name] * 3
    assert entries(tmp_path, rar4(run))[0].name == "ab\u0464\u0465\u0430!"
    assert entries(tmp_path, rar5(file5(name, b"1")))[0].name == name


def test_an_archive_before_rar_3_ends_without_a_mark(tmp_path: Path) -> None:
    assert len(entries(tmp_path, rar4(file4("a", b"1"), end=False))) == 1


def test_sizes_above_four_gigabytes(tmp_path: Path) -> None:
    body = struct.pack("<IIBIIBBHIII", 0, 5, 3, 0, 0, 29, 0x30, 1, 0, 0, 2)
    [entry] = entries(tmp_path, rar4(block4(0x74, 0x8100, body + b"a")))
    assert entry.size_bytes == (2 << 32) + 5


@BOTH
def test_a_name_keeps_bytes_that_are_not_utf_8_and_ends_at_a_zero(
    tmp_path: Path, version: int
) -> None:
    make_file, make = (file4, rar4) if version == 4 else (file5, rar5)
    raw = [make_file(b"Gr\xf6\xdfe.avi", b"1"), make_file(b"a.avi\0.exe", b"1")]
    names = [entry.name for entry in entries(tmp_path, make(*raw))]
    assert names == ["Gr\udcf6\udcdfe.avi", "a.avi"]


def test_comments_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # rarfile would start a tool for the first, and look for a password for the second.
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a tool was started"))
    monkeypatch.setattr("rarfile.Popen", lambda *_, **__: pytest.fail("a tool was started"))
    comment4 = file4("CMT", b"packed", kind=0x7A, method=0x33)
    assert [e.name for e in entries(tmp_path, rar4(comment4, file4("a", b"1")))] == ["a"]
    comment5 = file5("CMT", b"locked", block=3, extra=ENCRYPTED5)
    assert [e.name for e in entries(tmp_path, rar5(comment5, file5("a", b"1")))] == ["a"]


ENCRYPTED5 = record5(1, bytes(2) + b"\x0f" + bytes(32))
ENCRYPTED_HEADERS5 = block5(4, bytes(2) + b"\x0f" + bytes(16)) + bytes(64)

REFUSED = {
    "link4": (rar4(file4("l", b"x", mode=stat.S_IFLNK)), "'l' is a link or a reference to"),
    "pipe4": (rar4(file4("l", b"x", mode=stat.S_IFIFO)), "'l' is a special file; only plain"),
    "link5": (rar5(file5("l", b"", extra=record5(5, b"\1\0\1x"))), "'l' is a link or a reference"),
    "locked4": (rar4(file4("a", b"x", flags=4)), "some.archive is encrypted: only a whole"),
    "headers4": (rar4(flags=0x80), "is encrypted: only a whole archive without a password"),
    "locked5": (rar5(file5("a", b"x", extra=ENCRYPTED5)), "is encrypted: only a whole"),
    "headers5": (rar5()[:8] + ENCRYPTED_HEADERS5, "is encrypted: only a whole archive without a"),
    "volume4": (rar4(flags=1), "is one of several volumes: only a whole archive"),
    "split4": (rar4(file4("a", b"x", flags=2)), "is one of several volumes"),
    "volume5": (rar5(flags=1), "is one of several volumes"),
    "split5": (rar5(file5("a", b"x", flags=16)), "is one of several volumes"),
    "ends in another volume": (rar4(next_volume=True), "is one of several volumes"),
    "unknown block": (rar5(block5(9, b"")), r"a header in it cannot be read \(it is of an unknown"),
    "sizeless": (rar5(file5("a", b"x", kind=8)), r"a header in it cannot be read \('a' has no"),
    "absolute": (rar4(file4("/etc/passwd", b"x")), "'/etc/passwd' is an absolute path"),
    "drive": (rar5(file5("C:/x", b"x")), "'C:/x' has a backslash or a drive letter"),
    "up4": (rar4(file4("a/../../x", b"x")), r"'a/\.\./\.\./x' climbs out of its folder"),
    "up5": (rar5(file5("../x", b"x")), r"'\.\./x' climbs out of its folder"),
    "backslash5": (rar5(file5("..\\x", b"x")), "has a backslash or a drive letter"),
    "twice": (rar4(file4("a", b"x"), file4("A", b"x")), "would overwrite one another"),
    "below a file": (rar5(file5("a", b"x"), file5("a/b", b"x")), "would overwrite one another"),
    "folder only": (rar4(folder4("a")), "holds no files: nothing was extracted"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_archives_are_refused_before_any_tool_runs(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, match = REFUSED[case]
    if case != "folder only":
        monkeypatch.setattr(rar, "rar_tools", lambda: pytest.fail("too early"))
    else:
        skip_without_rar_tool()
    refuse(tmp_path, data, match)


@BOTH
def test_limits_hold_before_any_tool_runs(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rar, "rar_tools", lambda: pytest.fail("too early"))
    data = rar_of(TREE, version=version)
    refuse(tmp_path, data, "unpacks to more than the 9000 bytes allowed", max_bytes=9000)
    refuse(tmp_path, data, "more than the 3 members allowed", max_files=3)


def test_a_bomb_is_found_in_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rar, "rar_tools", lambda: pytest.fail("too early"))
    refuse(tmp_path, rar5(file5("bomb", b"x", size=1 << 50)), "unpacks to more than the")


def test_a_full_disk_is_an_error_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rar, "rar_tools", lambda: pytest.fail("too early"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**9))
    data = rar5(file5("large", b"x", size=200 << 30))
    match = r"cannot unpack .*some\.archive into .*out: it takes 214\.7 GB and 1\.0 GB are free "
    refuse(tmp_path, data, match + r"there\. Free some space or choose another folder, and run")


@BOTH
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_damage_is_an_error_and_nothing_else(
    tmp_path: Path, version: int, cut: int, flip: int, bit: int
) -> None:
    tree = {"a/b.avi": b"bytes", "c": b"c" * 200}
    data = bytearray(rar_of(tree, version=version))
    whole = entries(tmp_path, bytes(data))
    data[flip % len(data)] ^= 1 << bit
    data = data[: max(8, cut % len(data))]
    try:
        listed = entries(tmp_path, bytes(data))
    except ArchiveError as error:
        assert "some.rar" in str(error)
    else:
        assert len(listed) <= len(whole)


def test_a_cut_or_changed_header_is_named(tmp_path: Path) -> None:
    for data in (rar_of(TREE), rar_of(TREE, version=5)):
        match = "some.archive is damaged or cut off: a header in it cannot be read .*fetch it again"
        refuse(tmp_path, data[:40], match)
        refuse(tmp_path, data[:12] + b"\xff" + data[13:], match)


@BOTH
def test_an_archive_cut_within_the_data_of_a_file(tmp_path: Path, version: int) -> None:
    make_file, make = (file4, rar4) if version == 4 else (file5, rar5)
    data = make(make_file("a", b"1"), make_file("b", b"2" * 100))
    refuse(tmp_path, data[:-60], "cannot be read .the file ends within the data that follow it")


def test_a_number_that_does_not_end(tmp_path: Path) -> None:
    # rarfile would append byte to byte, for hours if there are enough of them.
    data = rar5()[:8] + bytes(4) + b"\xff" * 20_000_000
    refuse(tmp_path, data, "a number in it does not end")
    assert number5(300) == b"\xac\x02"


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the whole PATH."""
    folder = tmp_path_factory.mktemp("tools")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_a_tool_it_says_what_to_install(tmp_path: Path, tools: Path) -> None:
    match = (
        r"some\.archive is a RAR archive, and no tool that unpacks these is installed \(bsdtar, "
        r"unar, 7zz, 7z, unrar\)\. Install one: `apt install libarchive-tools unar` on Debian or "
        r"Ubuntu, `brew install unar` on macOS; Windows 10 .* run the same command again"
    )
    refuse(tmp_path, rar_of(TREE), match)


@posix
@pytest.mark.parametrize("name", ["bsdtar", "unar", "7zz", "7z", "unrar"])
def test_each_tool_is_used(tmp_path: Path, tools: Path, name: str) -> None:
    put_fake_tool(tools, name, CONTENT, complaint="it says something", code=1)
    unpack(tmp_path, rar_of(TREE))
    assert content_of(tmp_path / "out") == TREE


@posix
@pytest.mark.parametrize("version", ["bsdtar 3.5", "tar (GNU tar) 1.34"])
def test_a_tar_may_be_bsdtar(tmp_path: Path, tools: Path, version: str) -> None:
    put_fake_tool(tools, "tar", version.encode())
    assert [tool.name for tool in rar_tools()] == (["bsdtar"] if "bsd" in version else [])


WRONG = {
    "short": (CONTENT[:1000], r"at 'train/a\.avi', it prints less than the headers announce"),
    "long": (CONTENT + b"x", "it prints more than the headers announce"),
    "flipped": (b"V" + CONTENT[1:], r"the checksum of 'train\.csv' is wrong"),
    "nothing": (b"", r"at 'train\.csv', Unsupported method"),
}


@posix
@pytest.mark.parametrize("case", WRONG)
def test_the_output_of_a_tool_is_verified(tmp_path: Path, tools: Path, case: str) -> None:
    content, problem = WRONG[case]
    complaint = "Unsupported method\n\n" if case == "nothing" else ""
    put_fake_tool(tools, "unar", content, complaint=complaint)
    match = rf"is damaged, or packed in a way .*\(unar: {problem}\)\. Install .*fetch it again"
    refuse(tmp_path, rar_of(TREE), match)
    # Another tool may do better.
    put_fake_tool(tools, "unrar", CONTENT)
    unpack(tmp_path, rar_of(TREE))
    assert content_of(tmp_path / "out") == TREE


@posix
def test_without_checksums_the_exit_code_of_a_tool_counts(tmp_path: Path, tools: Path) -> None:
    data = rar5(file5("a", b"1", kind=0))
    put_fake_tool(tools, "unar", b"1", code=3)
    refuse(tmp_path, data, r"\(unar: it ended with 3\)")
    put_fake_tool(tools, "unar", b"1")
    unpack(tmp_path, data)


@posix
def test_a_program_that_cannot_be_started(tmp_path: Path, tools: Path) -> None:
    (tools / "unar").write_bytes(b"\x7fELF no program")
    (tools / "unar").chmod(0o755)
    refuse(tmp_path, rar_of(TREE), r"\(unar: it cannot be started \(Exec format error\)\)")


@posix
def test_a_tool_is_killed_when_the_work_ends(tmp_path: Path, tools: Path) -> None:
    put_fake_tool(tools, "unar", CONTENT)
    program = (tools / "unar").read_text()
    waits = "sys.stdout.flush()\nimport time\ntime.sleep(60)\nsys.exit"
    (tools / "unar").write_text(program.replace("sys.exit", waits))
    started = time.monotonic()

    def full(done: int, _: int | None) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "some.rar"
    path.write_bytes(rar_of(TREE))
    with pytest.raises(ArchiveError, match="No space left on device"):
        archive.extract_archive(path, tmp_path / "out", progress=full)
    assert time.monotonic() - started < 30
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.rar"]


@posix
def test_progress_is_in_bytes_of_the_archive(tmp_path: Path, tools: Path) -> None:
    put_fake_tool(tools, "unar", CONTENT)
    path = tmp_path / "some.rar"
    path.write_bytes(rar_of(TREE))
    steps: list[tuple[int, int | None]] = []
    archive.extract_archive(path, tmp_path / "out", progress=lambda *step: steps.append(step))
    size = path.stat().st_size
    assert {total for _, total in steps} == {size}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == size
