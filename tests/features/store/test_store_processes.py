"""The store survives concurrent processes, a full disk, and a kill at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vidclass.errors import StoreError
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures

CLIPS = 360
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    """Return the output of a process, which must succeed with empty standard error."""
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return output


def open_store(folder: Path, width: int = 5) -> FeatureStore:
    return FeatureStore(folder, settings="settings", width=width, description="{}")


def clip(number: int, *, frames: int = 3, width: int = 5) -> ClipFeatures:
    return ClipFeatures(np.full((frames, width), number, np.float16), np.arange(frames) / 3)


BUSY = """
import sys
from pathlib import Path
import numpy as np
from vidclass.features.store import store as store_module
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store_module._JOIN_EVERY_APPENDS = 4
store_module._JOIN_STEPS = ((8, 3), (64, 3))
store = FeatureStore(folder, settings="settings", width=5, description="{}")
keys = [f"{name}{k}" for k in range(count)]
if name == "reader":
    seen = set()
    while len(seen) < count:
        clips = store.read([f"{name}{k}" for name in "ab" for k in range(count // 2)])
        if not seen <= clips.keys():
            sys.exit(f"lost {seen - clips.keys()}")
        if any((clip.features != int(key[1:])).any() for key, clip in clips.items()):
            sys.exit("read other numbers")
        seen |= clips.keys()
elif name == "joiner":
    for _ in range(count):
        store.compact()
else:
    for number, key in enumerate(keys):
        features = np.full((3, 5), number, np.float16)
        store.append({key: ("a.avi", ClipFeatures(features, np.arange(3) / 3))})
"""


@pytest.mark.slow
def test_writers_joiners_and_a_reader_at_once(tmp_path: Path) -> None:
    count = 50
    names = {"a": count, "b": count, "joiner": 2 * count, "reader": 2 * count}
    processes = [run(BUSY, tmp_path, name, number) for name, number in names.items()]
    output = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, output
    assert output == [("", "")] * 4
    store = open_store(tmp_path)
    clips = store.read([f"{name}{k}" for name in "ab" for k in range(count)])
    assert len(clips) == 2 * count
    assert all((clips[f"{name}{k}"].features == k).all() for name in "ab" for k in range(count))


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from vidclass.errors import StoreError
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures
store = FeatureStore(Path(sys.argv[1]), settings="settings", width=1000, description="{}")
rng = np.random.default_rng(0)
def clip(frames):
    return ClipFeatures(rng.random((frames, 1000)).astype(np.float16), np.arange(float(frames)))
store.append({"a": ("a.avi", clip(10))})
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
try:
    store.append({"b": ("b.avi", clip(10)), "c": ("c.avi", clip(200))})
except StoreError as error:
    print(error)
store.compact()
store.append({"d": ("d.avi", clip(10))})
# What measures coverage writes at the end, and must not be limited.
resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


@posix
def test_a_file_too_large_is_an_error_and_the_rest_is_kept(tmp_path: Path) -> None:
    output = finished(run(FULL, tmp_path))
    assert output.startswith(f"cannot write features to {tmp_path / 'settings.v2.lance'}: ")
    assert "File too large" in output
    assert "What was stored before is kept; free some disk space, or choose another" in output
    assert len(output.splitlines()) == 1
    store = open_store(tmp_path, 1000)
    assert store.missing(["a", "b", "c", "d"]) == {"b", "c"}
    assert set(store.read(["a", "d"])) == {"a", "d"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte, where that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    wide = {"width": 1000, "frames": 50}
    store = open_store(small_disk, 1000)
    kept: list[str] = []
    with pytest.raises(StoreError, match=r"cannot write features to .*No space left on device.*k"):
        for number in range(20):
            store.append({f"clip{number}": ("a.avi", clip(number, **wide))})
            kept.append(f"clip{number}")
    assert 5 < len(kept) < 11
    store.compact()
    store = open_store(small_disk, 1000)
    assert set(store.read(kept)) == set(kept)
    assert not [path for path in small_disk.iterdir() if path.name.startswith(".")]
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    rest = {f"clip{number}": ("a.avi", clip(number, **wide)) for number in range(len(kept), 20)}
    store.append(rest)
    clips = open_store(small_disk, 1000).read([f"clip{number}" for number in range(20)])
    assert [int(clips[f"clip{k}"].features[0, 0]) for k in range(20)] == list(range(20))


def test_a_full_disk_before_the_first_clip(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(StoreError, match=r"cannot write features to .*No space left on device"):
        open_store(small_disk).begin()
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    (small_disk / "filler").unlink()
    open_store(small_disk).begin()


# Extracts the clips of a folder with a slow fake network.  Prints a line before it begins, and
# the keys of each append once it is done.
EXTRACT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from fake_network import FakeExtractor, MeanColour
from vidclass.data.manifest import Manifest
from vidclass.features import extract as module
from vidclass.features.extract import extract
from vidclass.features.store.store import FeatureStore

class Slow(MeanColour):
    def run(self, **inputs):
        time.sleep(0.003)
        return super().run(**inputs)

append = FeatureStore.append
def append_and_report(self, clips):
    append(self, clips)
    if clips:
        print(*clips, flush=True)
FeatureStore.append = append_and_report
module.APPEND_CLIPS = 8
fake = FakeExtractor()
fake.network = Slow()
manifest = Manifest.from_source(sys.argv[1])
print("ready", flush=True)
done = extract(manifest, fake.extractor(), store_folder=Path(sys.argv[2]))
print("ok", done.ok, done.reused)
"""


@pytest.fixture
def clips_folder(tmp_path: Path, tiny_video: Callable[..., Path]) -> Path:
    """CLIPS different clips, a few kilobytes each."""
    folder = tmp_path / "clips"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    model = tiny_video("model.avi", frames=8, size=(32, 32)).read_bytes()
    for number in range(CLIPS):
        # Bytes after the end of a RIFF file are no part of the video, but of its content.
        path = folder / "ab"[number % 2] / f"{number:03}.avi"
        path.write_bytes(model + number.to_bytes(4, "little"))
    return folder


def start(clips: Path, store: Path) -> subprocess.Popen[str]:
    process = run(EXTRACT, clips, store, Path(__file__).parents[2] / "support")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def content(folder: Path, keys: list[str]) -> dict[str, tuple[bytes, bytes]]:
    store = FeatureStore(folder, settings="settings", width=6, description="{}")
    clips = store.read(keys)
    return {
        key: (clip.features.tobytes(), clip.timestamps_s.tobytes()) for key, clip in clips.items()
    }


@posix
@pytest.mark.slow
def test_killed_twenty_times_the_store_is_that_of_one_run(
    clips_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    *lines, last = finished(start(clips_folder, tmp_path / "whole")).splitlines()
    assert last == f"ok {CLIPS} 0"
    keys = " ".join(lines).split()
    assert len(set(keys)) == CLIPS

    chance = random.Random(7)
    stored: list[str] = []
    for _ in range(20):
        process = start(clips_folder, tmp_path / "killed")
        assert process.stdout is not None
        waited = [process.stdout.readline() for _ in range(chance.randrange(3))]
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        output = [*waited, *process.communicate()[0].splitlines()]
        assert process.returncode == -signal.SIGKILL
        stored += " ".join(line for line in output if not line.startswith("ok")).split()
    before_last = len(stored)
    *lines, last = finished(start(clips_folder, tmp_path / "killed")).splitlines()
    stored += " ".join(lines).split()
    # Nothing reported as stored was extracted again; a kill right after an append hides its line.
    assert len(set(stored)) == len(stored)
    assert last == f"ok {CLIPS} {CLIPS - (len(stored) - before_last)}"
    assert content(tmp_path / "killed", keys) == content(tmp_path / "whole", keys)
    assert len(content(tmp_path / "whole", keys)) == CLIPS
