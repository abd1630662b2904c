"""The store: what was appended is read, whoever writes at the same time or dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vidclass.errors import ShapeError, StoreError
from vidclass.features.store import FeatureStore, default_store_folder
from vidclass.types import ClipFeatures

WIDTH = 5


def open_store(folder: Path, width: int = WIDTH) -> FeatureStore:
    return FeatureStore(folder, settings="settings", width=width, description='{"a": 1}')


def clip(number: float, frames: int = 3, width: int = WIDTH) -> ClipFeatures:
    features = np.full((frames, width), number, np.float16)
    return ClipFeatures(features, np.arange(frames) / 3 + number)


def same(found: ClipFeatures, expected: ClipFeatures) -> bool:
    return (
        found.features.tobytes() == expected.features.tobytes()
        and found.features.shape == expected.features.shape
        and found.timestamps_s.tobytes() == expected.timestamps_s.tobytes()
    )


@st.composite
def clips(draw: st.DrawFn) -> tuple[int, dict[str, tuple[str, ClipFeatures]]]:
    """A width, and clips of that width with any float16 numbers, NaN and infinity among them."""
    width = draw(st.integers(1, 9))
    keys = draw(st.lists(st.text("0123456789abcdef", min_size=1), unique=True, max_size=4))
    made = {}
    for key in keys:
        frames = draw(st.integers(0, 5))
        features = draw(arrays.arrays(np.float16, (frames, width)))
        times = draw(arrays.arrays(np.float64, frames, elements=st.floats(0, 1e6)))
        made[key] = (f"{key}.avi", ClipFeatures(features, times))
    return width, made


@given(drawn=clips())
@settings(max_examples=25, deadline=None)
def test_what_was_appended_is_read_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[int, Any]
) -> None:
    width, made = drawn
    folder = tmp_path_factory.mktemp("store")
    open_store(folder, width).append(made)
    found = open_store(folder, width).read(list(made))
    assert found.keys() == made.keys()
    assert all(same(found[key], made[key][1]) for key in made)


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


def test_the_settings_lie_beside_the_table(tmp_path: Path) -> None:
    open_store(tmp_path / "new").append({"a": ("a.avi", clip(1))})
    assert json.loads((tmp_path / "new" / "settings.json").read_text()) == {"a": 1}


def test_the_default_folder_is_in_the_cache(session_cache: Path) -> None:
    assert default_store_folder() == session_cache / "features"


def test_many_small_appends_are_joined(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uri = str(tmp_path / "settings.lance")
    for number in range(9):
        store.append({f"clip{number}": ("a.avi", clip(number))})
        store.compact()
        assert len(lance.dataset(uri).get_fragments()) == (number + 1 if number < 8 else 1)
    assert all(same(store.read([f"clip{k}"])[f"clip{k}"], clip(k)) for k in range(9))


def test_joining_at_the_same_time_as_another_process_is_no_error(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in range(9):
        store.append({f"clip{number}": ("a.avi", clip(number))})
    stale = store._refresh()
    open_store(tmp_path).compact()
    store._refresh = lambda: stale  # type: ignore[method-assign]
    store.compact()
    assert open_store(tmp_path).missing([f"clip{k}" for k in range(9)]) == set()


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    message = r"the features of clip a are 6 wide, but those in .*settings.lance are 5 wide"
    with pytest.raises(ShapeError, match=message):
        open_store(tmp_path).append({"a": ("a.avi", clip(1, width=6))})


def test_a_damaged_table_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    for manifest in (tmp_path / "settings.lance" / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"damaged")
    message = r"cannot read the features in .*settings.lance: .* move that folder away and run"
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path).missing(["a"])
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path).read(["a"])


def test_lost_data_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append({"a": ("a.avi", clip(1))})
    assert store.missing(["a"]) == set()
    for data in (tmp_path / "settings.lance" / "data").iterdir():
        data.unlink()
    with pytest.raises(StoreError, match=r"cannot read the features in .* Features can be made"):
        store.read(["a"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    message = r"cannot write features to .*settings.lance: .*free some disk space, or name another"
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path / "file").append({"a": ("a.avi", clip(1))})


def test_a_file_in_the_place_of_the_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.lance").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write features to .*settings.lance: "):
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
from vidclass.features.store import FeatureStore
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
    found = store.read(list(expected))
    assert found.keys() == expected.keys()
    assert all(same(found[key], expected[key]) for key in expected)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_writer_leaves_what_it_had_appended(tmp_path: Path) -> None:
    for attempt, delay_s in enumerate((0.0, 0.004, 0.02, 0.05)):
        writer = start_writer(tmp_path, f"run{attempt}-", 10_000)
        wait_until_ready(writer)
        go(writer)
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
        told = writer.communicate()[0].splitlines()
        store = open_store(tmp_path)
        keys = [f"run{attempt}-{k}" for k in range(len(told))]
        assert store.missing(keys) == set()
        assert all(same(value, clip(k)) for k, value in enumerate(store.read(keys).values()))
        store.append({f"after{attempt}": ("a.avi", clip(7))})
    assert store.missing([f"after{attempt}" for attempt in range(4)]) == set()
