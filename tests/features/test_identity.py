"""Identity depends on bytes, unchanged files are not opened, and cache errors do not matter."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_network import FakeExtractor
from vidclass._core import sqlite_cache
from vidclass._core.files import sha256_of
from vidclass.errors import ConfigError, VideoError
from vidclass.features import identity as identity_module
from vidclass.features.extract import extract
from vidclass.features.identity import VideoIdentity, clip_key, hash_video, identify
from vidclass.types import Span

DATABASE = "video-hashes-1.sqlite"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an own cache, which accepts files however new they are."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VIDCLASS_CACHE", str(folder))
    monkeypatch.setattr(identity_module, "CLOCK_TICK_NS", 0)
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record the names of the files that are hashed."""
    names: list[str] = []
    real = identity_module.hash_video

    def note(path: Path) -> VideoIdentity:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(identity_module, "hash_video", note)
    yield names
    names.clear()


def write(path: Path, data: bytes = b"a video") -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(data)
    return path


def hashes_of(*paths: Path) -> dict[str, str]:
    return {done.item.name: done.result.sha256 for done in identify(paths) if done.result}


@given(start_s=st.floats(0, 1e6), stop_s=st.none() | st.floats(0, 1e6), data=st.binary(max_size=50))
@settings(max_examples=30, deadline=None)
def test_equal_content_and_span_are_one_key(
    start_s: float, stop_s: float | None, data: bytes
) -> None:
    sha256 = identity_module.hashlib.sha256(data).hexdigest()
    key = clip_key(sha256, Span(start_s, stop_s))
    assert key == clip_key(sha256, Span(start_s, stop_s))
    assert len(key) == 32
    assert key != clip_key(sha256, Span(start_s + 1, stop_s))
    assert key != clip_key(sha256[::-1] + "0", Span(start_s, stop_s))


def test_hashes_come_in_order_and_are_those_of_the_bytes(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.avi", bytes([k]) * (k * 70_000)) for k in range(1, 9)]
    for _ in range(2):
        done = list(identify(paths))
        assert [item.item for item in done] == paths
        assert [item.result and item.result.sha256 for item in done] == list(map(sha256_of, paths))


def test_an_unchanged_file_is_not_opened(tmp_path: Path, opened: list[str]) -> None:
    paths = [write(tmp_path / f"{k}.avi", bytes([k])) for k in range(3)]
    first = hashes_of(*paths)
    assert opened == ["0.avi", "1.avi", "2.avi"]
    assert hashes_of(*paths) == first
    assert len(opened) == 3
    new = write(tmp_path / "new.avi")
    assert list(hashes_of(new, *paths)) == ["0.avi", "1.avi", "2.avi", "new.avi"]
    assert opened[3:] == ["new.avi"]


def test_a_second_extraction_opens_no_video(
    tmp_path: Path,
    tiny_video: Callable[..., Path],
    fake: FakeExtractor,
    manifest_of: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos = [tiny_video(f"{frames}.avi", frames=frames) for frames in (5, 9)]
    manifest = manifest_of([*videos, tmp_path / "none.avi"])
    first = extract(manifest, fake.extractor(), store_folder=tmp_path / "store")

    real = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        assert ".avi" not in str(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("av.open", refuse)
    again = extract(manifest, fake.extractor(), store_folder=tmp_path / "store")
    assert (again.ok, again.reused, again.failures) == (2, 2, first.failures)


def test_a_relative_path_is_the_same_file(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes_of(write(tmp_path / "a.avi"))
    monkeypatch.chdir(tmp_path)
    assert hashes_of(Path("a.avi"))
    assert opened == ["a.avi"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda path: path.write_bytes(b"another"),
        lambda path: os.utime(path, ns=(0, path.stat().st_mtime_ns - 1)),
        lambda path: os.replace(write(path.with_name("other"), b"another"), path),
    ],
    ids=["written", "dated", "replaced"],
)
def test_an_edited_file_is_read_again(tmp_path: Path, opened: list[str], edit: Any) -> None:
    path = write(tmp_path / "a.avi")
    hashes_of(path)
    edit(path)
    assert hashes_of(path) == {"a.avi": sha256_of(path)}
    assert len(opened) == 2


@pytest.mark.skipif(os.name != "posix", reason="only POSIX tells of such a change")
def test_an_edit_that_hides_its_time_is_seen(tmp_path: Path, opened: list[str]) -> None:
    path = write(tmp_path / "a.avi", b"one")
    before = path.stat()
    hashes_of(path)
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_bytes(b"two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert hashes_of(path) == {"a.avi": sha256_of(path)}


def test_a_file_written_just_before_it_is_read_is_not_remembered(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path / "a.avi")
    hashes_of(path)
    with sqlite3.connect(tmp_path / "cache" / DATABASE) as database:
        assert database.execute("SELECT count(*) FROM hashes").fetchone() == (0,)
    database.close()
    now_ns = identity_module.time.time_ns()
    monkeypatch.setattr(identity_module.time, "time_ns", lambda: now_ns + 3_000_000_000)
    hashes_of(path)
    with sqlite3.connect(tmp_path / "cache" / DATABASE) as database:
        assert database.execute("SELECT count(*) FROM hashes").fetchone() == (1,)
    database.close()


def test_an_unreadable_file_is_a_value(tmp_path: Path) -> None:
    good = write(tmp_path / "good.avi")
    (tmp_path / "folder.avi").mkdir()
    done = list(identify([tmp_path / "none.avi", good, tmp_path / "folder.avi"]))
    assert [item.result is not None for item in done] == [False, True, False]
    assert "no such file" in str(done[0].error)
    assert "is a folder, not a video" in str(done[2].error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    [done] = identify([tmp_path / "pipe.avi"])
    assert "is a pipe, a socket or a device, not a file" in str(done.error)


def test_a_wrong_limit_is_an_error_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDCLASS_MAX_PIXELS", "lots")
    with pytest.raises(ConfigError, match="VIDCLASS_MAX_PIXELS='lots' must be a whole number"):
        list(identify([write(tmp_path / "a.avi")]))


CHANGED = r"a.avi: changed while it was being read\. Run the same command again once nothing writes"


def test_a_file_that_changes_while_it_is_read_has_no_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.avi", b"x" * 1000)
    digest = identity_module.hashlib.file_digest

    def meanwhile(file: Any, name: str) -> Any:
        result = digest(file, name)
        with path.open("ab") as other:
            other.write(b"more")
        return result

    monkeypatch.setattr(identity_module.hashlib, "file_digest", meanwhile)
    with pytest.raises(VideoError, match=CHANGED) as caught:
        hash_video(path)
    assert caught.value.stage == "extract"


def test_a_file_that_changes_after_it_was_hashed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi")
    identity = hash_video(path)
    identity.require_unchanged()
    path.write_bytes(b"longer than before")
    with pytest.raises(VideoError, match=CHANGED):
        identity.require_unchanged()
    path.unlink()
    with pytest.raises(VideoError, match=r"a.avi: no such file"):
        identity.require_unchanged()


@pytest.mark.skipif(os.name != "posix", reason="needs hard links and their times")
def test_a_backup_by_hard_links_is_no_change(tmp_path: Path, opened: list[str]) -> None:
    path = write(tmp_path / "a.avi")
    identity = hash_video(path)
    while path.stat().st_ctime_ns == identity.signature.ctime_ns:
        (tmp_path / "backup.avi").unlink(missing_ok=True)
        os.link(path, tmp_path / "backup.avi")
    identity.require_unchanged()
    assert opened == ["a.avi"]
    other = VideoIdentity(path, "0" * 64, identity.signature)
    with pytest.raises(VideoError, match=CHANGED):
        other.require_unchanged()


def damage(database: Path) -> None:
    database.write_bytes(b"SQLite format 3\0" + b"no database" * 1000)


def garble(database: Path) -> None:
    data = database.read_bytes()
    database.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


def other_columns(database: Path) -> None:
    database.unlink()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE hashes (a TEXT)")
    connection.close()


def as_folder(database: Path) -> None:
    database.unlink()
    database.mkdir()


@pytest.mark.parametrize("spoil", [damage, garble, other_columns, as_folder, Path.unlink])
def test_whatever_befalls_the_database_files_are_hashed(
    tmp_path: Path, cache: Path, spoil: Any
) -> None:
    paths = [write(tmp_path / f"{k}.avi", bytes([k]) * 100) for k in range(200)]
    first = hashes_of(*paths)
    spoil(cache / DATABASE)
    assert hashes_of(*paths) == first
    assert hashes_of(*paths) == first


def test_a_damaged_database_is_made_anew(tmp_path: Path, cache: Path, opened: list[str]) -> None:
    path = write(tmp_path / "a.avi")
    hashes_of(path)
    damage(cache / DATABASE)
    for _ in range(3):
        hashes_of(path)
    assert len(opened) == 3


def test_a_cache_folder_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(write(tmp_path / "file") / "cache"))
    path = write(tmp_path / "a.avi")
    assert hashes_of(path) == {"a.avi": sha256_of(path)}


def test_a_database_that_stays_locked(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.avi")
    hashes_of(path)
    monkeypatch.setattr(sqlite_cache, "BUSY_S", 0.01)
    connection = sqlite3.connect(cache / DATABASE)
    connection.execute("BEGIN EXCLUSIVE")
    new = write(tmp_path / "b.avi", b"b")
    assert hashes_of(path, new) == {"a.avi": sha256_of(path), "b.avi": sha256_of(new)}
    connection.rollback()
    connection.execute("BEGIN IMMEDIATE")
    assert hashes_of(path, new) == {"a.avi": sha256_of(path), "b.avi": sha256_of(new)}
    connection.close()


READER = """
import sys
from pathlib import Path
from vidclass.features import identity
identity.CLOCK_TICK_NS = 0
for done in identity.identify(sorted(Path(sys.argv[1]).iterdir())):
    print(done.result.sha256)
"""


def test_two_processes_share_the_database(tmp_path: Path, cache: Path, opened: list[str]) -> None:
    folder = tmp_path / "videos"
    paths = [write(folder / f"{k:03}.avi", bytes([k]) * 100) for k in range(200)]
    command = [sys.executable, "-c", READER, str(folder)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    # A process lists first what the other one has written by then, so the order may differ.
    hashes = [sorted(reader.communicate()[0].split()) for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0]
    assert hashes == [sorted(sha256_of(path) for path in paths)] * 2
    assert len(hashes_of(*paths)) == 200
    assert opened == []


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text")
def test_a_name_that_is_no_text(tmp_path: Path, opened: list[str]) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.avi"))
    write(path)
    assert len(hashes_of(path)) == len(hashes_of(path)) == 1
    assert len(opened) == 1


def test_copies_share_a_hash(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi")
    shutil.copy(path, tmp_path / "b.avi")
    assert len(set(hashes_of(path, tmp_path / "b.avi").values())) == 1
