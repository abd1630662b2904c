"""Failed clips: counts by class, and a record of lasting failures of one version."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import polars as pl
import pytest

from fake_network import FakeExtractor
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import StoppedError, VideoError
from vidclass.features import extract as extract_module
from vidclass.features import failures as module
from vidclass.features.extract import Extraction, extract
from vidclass.features.failures import (
    FailureCounts,
    FailureRecord,
    count_failures,
    is_lasting,
    record_path,
)
from vidclass.features.identity import hash_video
from vidclass.features.store.maintenance import leftovers, remove, stored_tables
from vidclass.types import Span

Write = Callable[..., Path]
MakeManifest = Callable[..., Manifest]
ERROR = VideoError("x.avi", "is damaged", hint="Get it again.", stage="probe")
NOTE = "1 clip failed before and was not tried again; retry_failed=True tries it"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.avi"
    path.write_text("no video at all")
    return path


@pytest.fixture
def run(
    fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> Callable[..., Extraction]:
    def extracted(*videos: Path, **options: Any) -> Extraction:
        spans = options.pop("spans", None)
        manifest = manifest_of(list(videos), spans)
        return extract(manifest, fake.extractor(), store_folder=tmp_path / "store", **options)

    return extracted


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the names of the decoded videos, in order."""
    names: list[str] = []
    decode = extract_module.decode_for

    def watched(config: Any, path: Path, span: Span, **rest: Any) -> Any:
        names.append(path.name)
        return decode(config, path, span, **rest)

    monkeypatch.setattr(extract_module, "decode_for", watched)
    return names


def test_a_failed_clip_is_not_decoded_again(
    run: Callable[..., Extraction], bad: Path, tiny_video: Write, decoded: list[str]
) -> None:
    good = tiny_video()
    first = run(bad, good)
    again = run(bad, good)
    assert sorted(decoded) == ["bad.avi", "tiny.avi"]
    assert (again.ok, again.reused, again.failures) == (1, 1, first.failures)
    assert (first.notes, again.notes) == ((), (NOTE,))


def test_retry_failed_tries_again(
    run: Callable[..., Extraction], bad: Path, decoded: list[str]
) -> None:
    run(bad)
    assert run(bad, retry_failed=True).notes == ()
    assert decoded == ["bad.avi"] * 2
    run(bad)
    assert len(decoded) == 2


def test_a_renamed_copy_fails_under_its_own_name(
    run: Callable[..., Extraction], bad: Path, decoded: list[str]
) -> None:
    run(bad)
    copy = shutil.copy(bad, bad.with_name("copy.avi"))
    again = run(bad, copy)
    assert [failure.message.split(": ")[0] for failure in again.failures] == [str(bad), str(copy)]
    assert again.notes[0].startswith(
        "2 clips failed before and were not tried again; retry_failed=True"
    )
    assert decoded == ["bad.avi"]


def test_a_repaired_file_is_another_clip(
    run: Callable[..., Extraction], bad: Path, tiny_video: Write
) -> None:
    run(bad)
    tiny_video(bad.name)
    assert run(bad).ok == 1


def test_a_span_fails_alone_and_is_named(
    run: Callable[..., Extraction], tiny_video: Write, decoded: list[str]
) -> None:
    video = tiny_video()
    for _ in range(2):
        done = run(video, video, spans=[(0.0, None), (99.0, None)])
        [failure] = done.failures
        assert (failure.start_s, failure.stop_s, done.ok) == (99.0, None, 1)
        assert "starts after the video's end" in failure.message
    assert len(decoded) == 2


def test_strict_stops_at_a_remembered_failure(
    run: Callable[..., Extraction], bad: Path, tiny_video: Write, decoded: list[str]
) -> None:
    good = tiny_video()
    with pytest.raises(StoppedError, match=r"bad\.avi: is not a video") as first:
        run(good, bad, strict=True)
    with pytest.raises(StoppedError, match=r"bad\.avi: is not a video") as again:
        run(good, bad, strict=True)
    assert (first.value.ok, again.value.ok) == (1, 1)
    assert len(decoded) == 2


def test_other_settings_try_for_themselves(
    fake: FakeExtractor, manifest_of: MakeManifest, bad: Path, tmp_path: Path, decoded: list[str]
) -> None:
    for name in ("a", "b"):
        extractor = fake.extractor(fingerprint=name)
        extract(manifest_of([bad]), extractor, store_folder=tmp_path / "store")
    assert len(decoded) == 2


@pytest.mark.parametrize("name", ["__version__", "decoder_version", "max_pixels"])
def test_other_versions_and_limits_forget(
    run: Callable[..., Extraction],
    bad: Path,
    decoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    run(bad)
    monkeypatch.setattr(module, name, "99" if name == "__version__" else lambda: "99")
    run(bad)
    run(bad)
    assert len(decoded) == 2
    monkeypatch.undo()
    assert "not tried again" not in "".join(run(bad).notes)


def chained(cause: BaseException) -> VideoError:
    error = VideoError("x", "is damaged")
    error.__cause__ = cause
    return error


PASSING = [
    VideoError("x", "changed while it was being read", lasting=False),
    chained(PermissionError(errno.EACCES, "denied")),
    chained(OSError(errno.EIO, "Input/output error")),
    chained(MemoryError()),
    chained(av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory")),
    chained(av.error.OSError(errno.EMFILE, "Too many open files")),
    chained(chained(OSError(errno.ENOSPC, "No space left"))),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_a_passing_error_is_not_recorded(bad: Path, error: BaseException) -> None:
    identity = hash_video(bad)
    assert is_lasting(VideoError("x", "is damaged"), identity)
    assert is_lasting(chained(av.error.InvalidDataError(1, "Invalid data")), identity)
    assert not is_lasting(error, identity)


def test_a_changed_file_is_not_recorded(bad: Path) -> None:
    identity = hash_video(bad)
    bad.write_text("something else")
    assert not is_lasting(ERROR, identity)
    bad.unlink()
    assert not is_lasting(ERROR, identity)


def test_a_missing_file_is_looked_for_again(run: Callable[..., Extraction], tmp_path: Path) -> None:
    assert run(tmp_path / "none.avi").notes == run(tmp_path / "none.avi").notes == ()


def record(folder: Path) -> FailureRecord:
    folder.mkdir(exist_ok=True)
    return FailureRecord(folder, "a" * 32)


def test_a_record_keeps_the_whole_error(tmp_path: Path) -> None:
    record(tmp_path).add("key", ERROR)
    errors = record(tmp_path).find({"key", "other"})
    assert list(errors) == ["key"]
    assert vars(errors["key"]) == vars(ERROR) | {"path": ""}
    record(tmp_path).forget(["key", "never there"])
    assert record(tmp_path).find({"key"}) == {}


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_record_is_dropped(tmp_path: Path, content: bytes) -> None:
    record_path(tmp_path, "a" * 32).write_bytes(content)
    assert record(tmp_path).find({"key"}) == {}
    record(tmp_path).add("key", ERROR)
    record(tmp_path).add("key", ERROR)
    assert list(record(tmp_path).find({"key"})) == ["key"]


def test_a_damaged_row_is_dropped(tmp_path: Path) -> None:
    record(tmp_path).add("good", ERROR)
    record(tmp_path).add("bad", ERROR)
    with sqlite3.connect(record_path(tmp_path, "a" * 32)) as connection:
        connection.execute("UPDATE failures_1 SET cause = NULL WHERE key = 'bad'")
    connection.close()
    assert list(record(tmp_path).find({"good", "bad"})) == ["good"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden here")
def test_a_folder_that_may_not_be_written_is_no_error(tmp_path: Path) -> None:
    here = record(tmp_path)
    tmp_path.chmod(0o500)
    here.add("key", ERROR)
    assert here.find({"key"}) == {}
    tmp_path.chmod(0o700)


def test_a_record_whose_place_is_taken_is_no_error(tmp_path: Path) -> None:
    record_path(tmp_path, "a" * 32).mkdir()
    record(tmp_path).add("key", ERROR)
    record(tmp_path).forget(["key"])
    assert record(tmp_path).find({"key"}) == {}


ADD = """
import sys
from pathlib import Path
from vidclass.errors import VideoError
from vidclass.features.failures import FailureRecord
folder, name = sys.argv[1:]
for number in range(40):
    record = FailureRecord(Path(folder), "a" * 32)
    record.add(f"{name}{number}", VideoError("x", "is damaged"))
"""


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), name]) for name in "ab"
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    keys = {f"{name}{number}" for name in "ab" for number in range(40)}
    assert set(record(tmp_path).find(keys)) == keys


def test_failures_go_with_their_table(
    fake: FakeExtractor, manifest_of: MakeManifest, bad: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    extract(manifest_of([bad]), fake.extractor(fingerprint="a" * 32), store_folder=store)
    kept = record_path(store, "a" * 32)
    os.utime(kept, (0, 0))
    assert kept.exists()
    assert leftovers(store) == []
    alone = record_path(store, "b" * 32)
    shutil.copy(kept, alone)
    assert leftovers(store) == []
    os.utime(alone, (0, 0))
    assert leftovers(store) == [alone]
    [table] = stored_tables(store)
    remove([table.path])
    assert not kept.exists()
    assert json.dumps([path.name for path in store.iterdir()]) == json.dumps([alone.name])


LABELS = ["a", "a", "b", "a|c", "b"]
SPLITS = ["train", "test", "test", "test", None]


@pytest.fixture
def labelled() -> Manifest:
    rows = [
        (f"{k}.avi", label, None, split, None, 0.0, None, None)
        for k, (label, split) in enumerate(zip(LABELS, SPLITS, strict=True))
    ]
    return Manifest(pl.DataFrame(rows, schema=dict(SCHEMA), orient="row"))


def test_no_failures_have_no_notes(labelled: Manifest) -> None:
    counts = count_failures(labelled, [False] * 5)
    assert (counts, counts.notes(), counts.unreadable_classes) == (FailureCounts(), (), [])


def test_failures_are_counted_in_each_class(labelled: Manifest) -> None:
    counts = count_failures(labelled, [True, False, False, True, True])
    assert counts.as_metrics() == {"failed": 3, "failed_by_class": {"a": 2, "b": 1, "c": 1}}
    assert counts.notes() == (
        "3 clips failed and are in no score: 2 of 3 of 'a', 1 of 2 of 'b', 1 of 1 of 'c'",
        "no clip of 'c' could be read: this class is left out",
    )


def test_failures_of_one_split_are_counted(labelled: Manifest) -> None:
    counts = count_failures(labelled, [True, False, True, False, True], split="test")
    assert (counts.clips, counts.by_class, counts.unreadable_classes) == (1, {"b": 1}, ["b"])
    assert counts.notes()[0] == "1 clip failed and is in no score: 1 of 1 of 'b'"


def test_notes_list_the_first_of_many_classes() -> None:
    names = {f"{k:02}": 1 for k in range(12)}
    counts = FailureCounts(12, names, dict.fromkeys(names, 2))
    assert counts.notes()[0].endswith("1 of 2 of '09' and 2 more")
