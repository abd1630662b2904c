"""The store reads what was appended, with concurrent writers and killed ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vidclass.errors import ShapeError, StoreError
from vidclass.features.store import store as store_module
from vidclass.features.store.store import (
    DEFAULT_COMPACTION,
    Compaction,
    FeatureStore,
    default_store_folder,
)
from vidclass.features.store.table import schema_of
from vidclass.types import ClipFeatures

WIDTH = 5


def open_store(
    folder: Path, width: int = WIDTH, compaction: Compaction = DEFAULT_COMPACTION
) -> FeatureStore:
    return FeatureStore(
        folder,
        settings="settings",
        width=width,
        description='{"a": 1}',
        compaction=compaction,
    )


def clip(number: float, frames: int = 3, width: int = WIDTH) -> ClipFeatures:
    features = np.full((frames, width), number, np.float16)
    return ClipFeatures(features, np.arange(frames) / 3 + number)


def same(clip: ClipFeatures, expected: ClipFeatures) -> bool:
    return (
        clip.features.tobytes() == expected.features.tobytes()
        and clip.features.shape == expected.features.shape
        and clip.timestamps_s.tobytes() == expected.timestamps_s.tobytes()
    )


@st.composite
def clips(draw: st.DrawFn) -> tuple[int, dict[str, tuple[str, ClipFeatures]]]:
    """Draw a width, and clips of that width with any finite float16 values."""
    width = draw(st.integers(1, 9))
    keys = draw(st.lists(st.text("0123456789abcdef", min_size=1), unique=True, max_size=4))
    clips_by_key = {}
    for key in keys:
        frames = draw(st.integers(0, 5))
        numbers = st.floats(-65504, 65504, width=16)
        features = draw(arrays.arrays(np.float16, (frames, width), elements=numbers))
        times = draw(arrays.arrays(np.float64, frames, elements=st.floats(0, 1e6)))
        clips_by_key[key] = (f"{key}.avi", ClipFeatures(features, times))
    return width, clips_by_key


@given(drawn=clips())
@settings(max_examples=25, deadline=None)
def test_appended_clips_are_read_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[int, Any]
) -> None:
    width, clips_by_key = drawn
    folder = tmp_path_factory.mktemp("store")
    open_store(folder, width).append(clips_by_key)
    stored = open_store(folder, width).read(list(clips_by_key))
    assert stored.keys() == clips_by_key.keys()
    assert all(same(stored[key], clips_by_key[key][1]) for key in clips_by_key)


def test_an_empty_store_misses_everything(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.missing(["a", "b"]) == {"a", "b"}
    assert store.read(["a"]) == {}
    store.append({})
    store.compact()
    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1)), "b": ("b.avi", clip(2))})
    assert store.missing(["a", "c", "c"]) == {"c"}
    assert list(store.read(["b", "c", "b", "a"])) == ["b", "a"]
    assert store.read(["c"]) == {}


def test_another_stores_appends_are_seen(tmp_path: Path) -> None:
    reader, writer = open_store(tmp_path), open_store(tmp_path)
    for number in (1, 2):
        key = f"clip{number}"
        assert reader.missing([key]) == {key}
        writer.append({key: ("a.avi", clip(number))})
        assert reader.missing([key]) == set()
        assert same(reader.read([key])[key], clip(number))


def test_a_key_appended_twice_counts_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in (1, 2):
        store.append({"a": ("a.avi", clip(number))})
    assert same(store.read(["a"])["a"], clip(2))


def test_the_description_is_written_beside_the_table(tmp_path: Path) -> None:
    open_store(tmp_path / "new").append({"a": ("a.avi", clip(1))})
    assert json.loads((tmp_path / "new" / "settings.v2.json").read_text()) == {"a": 1}


def test_the_default_folder_is_in_the_cache(session_cache: Path) -> None:
    assert default_store_folder() == session_cache / "features"


def test_many_small_appends_are_merged(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uri = str(tmp_path / "settings.v2.lance")
    for number in range(9):
        store.append({f"clip{number}": ("a.avi", clip(number))})
        store.compact()
        assert len(lance.dataset(uri).get_fragments()) == (number + 1 if number < 8 else 1)
    assert all(same(store.read([f"clip{k}"])[f"clip{k}"], clip(k)) for k in range(9))


def test_a_long_run_merges_files_as_it_goes(tmp_path: Path) -> None:
    compaction = Compaction(every_appends=5, steps=((4, 3), (20, 3)))
    store = open_store(tmp_path, compaction=compaction)
    for number in range(100):
        store.append({f"clip{number}": ("a.avi", clip(number))})
        assert len(lance.dataset(str(tmp_path / "settings.v2.lance")).get_fragments()) <= 16
    stored = store.read([f"clip{k}" for k in range(100)])
    assert all(same(stored[f"clip{k}"], clip(k)) for k in range(100))


def test_merging_after_another_process_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    for number in range(9):
        store.append({f"clip{number}": ("a.avi", clip(number))})
    stale = lance.dataset(str(tmp_path / "settings.v2.lance"))
    open_store(tmp_path).compact()
    monkeypatch.setattr(store_module, "open_table", lambda _: stale)
    store.compact()
    assert open_store(tmp_path).missing([f"clip{k}" for k in range(9)]) == set()


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    message = r"the features of clip a are 6 wide, but those in .*settings.v2.lance are 5 wide"
    with pytest.raises(ShapeError, match=message):
        open_store(tmp_path).append({"a": ("a.avi", clip(1, width=6))})


def test_a_damaged_table_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    for manifest in (tmp_path / "settings.v2.lance" / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"damaged")
    message = r"cannot read the features in .*v2.lance: .* can be extracted again: move that"
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path).missing(["a"])
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path).read(["a"])


def test_missing_data_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    assert store.missing(["a"]) == set()
    for data in (tmp_path / "settings.v2.lance" / "data").iterdir():
        data.unlink()
    with pytest.raises(StoreError, match=r"cannot read the features in .* Features can be"):
        store.read(["a"])


@pytest.mark.parametrize("cut", [0, 10, 0.5])
def test_a_manifest_that_was_cut_off_says_what_to_do(tmp_path: Path, cut: float) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    for manifest in (tmp_path / "settings.v2.lance" / "_versions").iterdir():
        os.truncate(manifest, int(cut if cut != 0.5 else manifest.stat().st_size / 2))
    with pytest.raises(StoreError, match=r"cannot read the features in .* Features can be"):
        open_store(tmp_path).missing(["a"])
    with pytest.raises(StoreError, match=r"cannot read the features in .* Features can be"):
        open_store(tmp_path).append({"b": ("b.avi", clip(1))})
    open_store(tmp_path).compact()


def test_a_flipped_bit_is_detected(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    marked = clip(1, frames=50)
    marked.features[7] = 1234
    store.append({"a": ("videos/a.avi", marked), "b": ("b.avi", clip(2))})
    [data] = (tmp_path / "settings.v2.lance" / "data").iterdir()
    content = bytearray(data.read_bytes())
    content[content.index(np.float16(1234).tobytes() * 5)] ^= 1
    data.write_bytes(content)
    store = open_store(tmp_path)
    assert same(store.read(["b"])["b"], clip(2))
    message = r"features of videos/a.avi in .*v2.lance are damaged\. Remove that table with `vidcl"
    with pytest.raises(StoreError, match=message):
        store.read(["a", "b"])


class PanicException(BaseException):
    """Stands in for the error that Lance raises over some kinds of damage."""


def test_a_panic_of_lance_is_an_error_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})

    def panic(*_: Any, **__: Any) -> None:
        raise PanicException("called `Result::unwrap()`\n on an `Err` value, /rust/src/x.rs:716:18")

    monkeypatch.setattr(lance, "write_dataset", panic)
    with pytest.raises(StoreError, match=r"on an `Err` value\. What was stored before is kept"):
        store.append({"b": ("b.avi", clip(1))})
    monkeypatch.setattr(lance, "dataset", panic)
    with pytest.raises(StoreError, match=r"cannot read .*unwrap\(\)` on an `Err` value\. Feat"):
        store.read(["a"])
    store.compact()


def test_ctrl_c_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    monkeypatch.setattr(lance, "write_dataset", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.append({"b": ("b.avi", clip(1))})
    monkeypatch.setattr(lance, "dataset", interrupt)
    for work in (store.compact, lambda: store.read(["a"])):
        with pytest.raises(KeyboardInterrupt):
            work()


def create(folder: Path, schema: pa.Schema) -> None:
    """Create an empty table of another kind under the name of the store's table."""
    lance.write_dataset(schema.empty_table(), str(folder / "settings.v2.lance"), mode="create")


def refused(folder: Path, message: str) -> None:
    for work in (
        lambda: open_store(folder).missing(["a"]),
        lambda: open_store(folder).read(["a"]),
        lambda: open_store(folder).append({"a": ("a.avi", clip(1))}),
    ):
        with pytest.raises(StoreError, match=message):
            work()
    open_store(folder).compact()


@pytest.mark.parametrize(("mark", "number"), [("3", "3"), (None, "1"), ("x", "x")])
def test_a_table_of_another_format_is_refused(
    tmp_path: Path, mark: str | None, number: str
) -> None:
    metadata = None if mark is None else {"vidclass_store_format": mark}
    create(tmp_path, schema_of(WIDTH).with_metadata(metadata))
    message = f"v2.lance are in store format {number}; this version of vidclass reads format 2"
    refused(tmp_path, message)


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    columns = pa.schema([pa.field("names", pa.string())], schema_of(WIDTH).metadata)
    create(tmp_path, columns)
    refused(tmp_path, r"v2.lance has other columns than a table of features: \['names'\]\. Move it")
    lance.write_dataset(
        pa.schema([pa.field("features", pa.string())], columns.metadata).empty_table(),
        str(tmp_path / "settings.v2.lance"),
        mode="overwrite",
    )
    refused(tmp_path, r"v2.lance has other columns than a table of features: \['features'\]")


def test_a_table_of_another_width_is_refused(tmp_path: Path) -> None:
    create(tmp_path, schema_of(WIDTH + 1))
    refused(tmp_path, r"the features in .*v2.lance are 6 wide, not 5\. Move that folder away")


def test_two_formats_exist_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "settings.lance").mkdir()
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    assert store.missing(["a"]) == set()


def test_a_begun_table_is_empty(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for _ in range(2):
        store.begin()
        assert store.missing(["a"]) == {"a"}
        assert store.read(["a"]) == {}
    store.append({"a": ("a.avi", clip(1))})
    store.begin()
    assert store.missing(["a"]) == set()


def test_reading_records_the_use(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    note = tmp_path / "settings.v2.json"
    os.utime(note, (0, 0))
    store.missing(["a"])
    store.read(["b"])
    assert note.stat().st_mtime == 0
    store.read(["a"])
    assert time.time() - note.stat().st_mtime < 60
    note.unlink()
    store.read(["a"])
    assert note.exists()


def test_a_reader_whose_files_were_merged_and_removed_reads_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_store(tmp_path)
    writer = open_store(tmp_path, compaction=Compaction(keep_merged=timedelta(0)))
    for number in range(9):
        writer.append({f"clip{number}": ("a.avi", clip(number))})
    real = store_module.take

    def late(*arguments: Any) -> Any:
        """Merge files between the read of the keys and that of the features."""
        if len(arguments) == 2:
            monkeypatch.setattr(store_module, "take", real)
            writer.compact()
            assert len(list((tmp_path / "settings.v2.lance" / "data").iterdir())) == 1
        return real(*arguments)

    monkeypatch.setattr(store_module, "take", late)
    assert len(reader.read([f"clip{number}" for number in range(9)])) == 9


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    store = open_store(tmp_path)
    monkeypatch.setattr(Path, "exists", deny)
    with pytest.raises(StoreError, match=r"cannot read the features in .*Permission denied"):
        store.missing(["a"])
    for write in (store.begin, lambda: store.append({"a": ("a.avi", clip(1))})):
        with pytest.raises(StoreError, match=r"cannot write features to .*denied\. What was"):
            write()
    store.compact()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    message = (
        r"cannot write features to .*settings.v2.lance: .*free some disk space, or choose another"
    )
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path / "file").append({"a": ("a.avi", clip(1))})


def test_a_file_instead_of_the_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.v2.lance").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot read the features in .*settings.v2.lance: "):
        open_store(tmp_path).append({"a": ("a.avi", clip(1))})


def test_two_writers_may_begin_a_table_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = open_store(tmp_path), open_store(tmp_path)
    write = lance.write_dataset

    def late(*args: Any, mode: str) -> None:
        monkeypatch.setattr(lance, "write_dataset", write)
        theirs.append({"b": ("b.avi", clip(2))})
        write(*args, mode=mode)

    monkeypatch.setattr(lance, "write_dataset", late)
    ours.append({"a": ("a.avi", clip(1))})
    assert ours.missing(["a", "b"]) == set()


def test_a_table_that_could_not_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(lance, "write_dataset", full)
    with pytest.raises(StoreError, match=r"cannot write .*: No space left on device. What was"):
        open_store(tmp_path).append({"a": ("a.avi", clip(1))})
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
import numpy as np
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = FeatureStore(folder, settings="settings", width=5, description="")
print("ready", flush=True)
sys.stdin.readline()
for k in range(count):
    features = np.full((3, 5), k, np.float16)
    store.append({f"{name}{k}": ("a.avi", ClipFeatures(features, np.arange(3) / 3 + k))})
    print(k, flush=True)
"""


def start_writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def wait_until_ready(writer: subprocess.Popen[str]) -> None:
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"


def go(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("\n")
    writer.stdin.flush()


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, name, 10) for name in "ab"]
    for writer in writers:
        wait_until_ready(writer)
    for writer in writers:
        go(writer)
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    store = open_store(tmp_path)
    expected = {f"{name}{k}": clip(k) for name in "ab" for k in range(10)}
    stored = store.read(list(expected))
    assert stored.keys() == expected.keys()
    assert all(same(stored[key], expected[key]) for key in expected)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_writer_leaves_what_it_had_appended(tmp_path: Path) -> None:
    for attempt, delay_s in enumerate((0.0, 0.004, 0.02, 0.05)):
        writer = start_writer(tmp_path, f"run{attempt}-", 10_000)
        wait_until_ready(writer)
        go(writer)
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
        printed = writer.communicate()[0].splitlines()
        store = open_store(tmp_path)
        keys = [f"run{attempt}-{k}" for k in range(len(printed))]
        assert store.missing(keys) == set()
        assert all(same(value, clip(k)) for k, value in enumerate(store.read(keys).values()))
        store.append({f"after{attempt}": ("a.avi", clip(7))})
    assert store.missing([f"after{attempt}" for attempt in range(4)]) == set()
