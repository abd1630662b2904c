"""Data sets of several archives, and of nested archives."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from archive_files import zip_bytes
from rar_files import rar_of, skip_without_rar_tool
from served_mirror import Mirror, beside, content, serve_mirror
from vidclass.datasets import get as module
from vidclass.datasets import rar
from vidclass.datasets.catalogue import datasets
from vidclass.datasets.get import get_dataset
from vidclass.errors import ArchiveError, ConfigError, DownloadError

UCF = {
    "UCF-101/Punch/v_Punch_g01_c01.avi": b"p" * 100_000,
    "UCF-101/Archery/v_Archery_g01_c01.avi": b"a" * 1000,
}
LISTS = {"ucfTrainTestlist/classInd.txt": b"1 Archery\n2 Punch\n"}
CLASSES = {
    "climb": rar_of({"climb/one.avi": b"1", "climb/two.avi": b"2" * 5000}),
    "wave": rar_of({"wave/three (a).avi": b"3"}, version=5),
    "flat": rar_of({"four.avi": b"4", "five.avi": b"5"}),
}
SPLITS = {"testTrainMulti_7030_splits/climb_test_split1.txt": b"one.avi 1 \n"}
UCF11 = {
    "UCF11_updated_mpg/biking/v_biking_01/v_biking_01_01.mpg": b"b",
    "UCF11_updated_mpg/biking/Annotation/v_biking_01_01.xgtf": b"<x/>",
    "UCF11_updated_mpg/diving/v_diving_01/v_diving_01_01.mpg": b"d",
}
SERVED = {
    "UCF101.rar": rar_of(UCF),
    "UCF101TrainTestSplits-RecognitionTask.zip": zip_bytes(
        *LISTS.items(), ("__MACOSX/._classInd.txt", b"m")
    ),
    "hmdb51_org.rar": rar_of({f"{name}.rar": data for name, data in CLASSES.items()}),
    "test_train_splits.rar": rar_of(SPLITS),
    "UCF11_updated_mpg.rar": rar_of(UCF11),
}


@pytest.fixture(autouse=True)
def of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the sizes and hashes of the true archives, which those of the tests do not have."""
    for name, data_set in datasets.items():
        archives = tuple(
            replace(archive, size_bytes=None, sha256=None, md5=None)
            for archive in data_set.archives
        )
        monkeypatch.setitem(datasets, name, replace(data_set, archives=archives, unknown_bytes=9))


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory, impatient: None) -> Iterator[Mirror]:
    skip_without_rar_tool()
    with serve_mirror(tmp_path_factory.mktemp("served"), SERVED) as mirror:
        yield mirror


def test_ucf101_has_its_lists_beside_its_classes(mirror: Mirror, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    receipt = get_dataset(
        "ucf101",
        tmp_path / "ucf",
        base_url=mirror.base_url,
        progress=lambda *step: steps.append(step),
    )
    expected = {name.removeprefix("UCF-101/"): data for name, data in UCF.items()}
    assert content(receipt.folder) == expected | LISTS
    assert (receipt.clips, receipt.record.files) == (2, 3)
    assert [archive.sha256 for archive in receipt.record.archives] == [
        hashlib.sha256(SERVED[archive.name]).hexdigest() for archive in datasets["ucf101"].archives
    ]
    assert beside(receipt.folder) == ["ucf"]
    unpacked = [(done, total) for name, done, total in steps if name == "unpack"]
    both = sum(len(SERVED[archive.name]) for archive in datasets["ucf101"].archives)
    assert unpacked == sorted(unpacked)
    assert unpacked[-1] == (both, both)


def test_hmdb51_is_unpacked_to_the_innermost(mirror: Mirror, tmp_path: Path) -> None:
    receipt = get_dataset("hmdb51", tmp_path / "hmdb", base_url=mirror.base_url)
    assert content(receipt.folder) == {
        "climb/one.avi": b"1",
        "climb/two.avi": b"2" * 5000,
        "wave/three (a).avi": b"3",
        "flat/four.avi": b"4",
        "flat/five.avi": b"5",
        **SPLITS,
    }
    assert (receipt.clips, receipt.record.files) == (5, 6)


def test_ucf11_keeps_its_groups(mirror: Mirror, tmp_path: Path) -> None:
    receipt = get_dataset("ucf11", tmp_path / "ucf11", base_url=mirror.base_url)
    assert content(receipt.folder) == {
        name.removeprefix("UCF11_updated_mpg/"): data for name, data in UCF11.items()
    }
    assert receipt.clips == 2


def test_without_a_tool_nothing_is_fetched(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rar, "rar_tools", list)
    with pytest.raises(ArchiveError, match=r"^UCF101\.rar is a RAR archive, and no tool .*Install"):
        get_dataset("ucf101", tmp_path / "ucf", base_url=mirror.base_url)
    assert mirror.asked == []


def test_without_space_nothing_is_fetched(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = replace(datasets["ucf11"], unknown_bytes=1_050_000_000)
    monkeypatch.setitem(datasets, "ucf11", big)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2_000_000_000))
    match = r"no room for ucf11 in .*: with its archives it takes 2\.1 GB and 2\.0 GB are free"
    with pytest.raises(ArchiveError, match=match):
        get_dataset("ucf11", tmp_path / "new" / "ucf11", base_url=mirror.base_url)
    assert mirror.asked == []
    assert list(tmp_path.iterdir()) == []
    # An archive that is there already needs no more space.
    (tmp_path / "UCF11_updated_mpg.rar").write_bytes(SERVED["UCF11_updated_mpg.rar"])
    small = replace(big, unknown_bytes=1_000_000_000 + 40)
    monkeypatch.setitem(datasets, "ucf11", small)
    assert get_dataset("ucf11", tmp_path / "ucf11").clips == 2


def test_a_published_md5_is_compared(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = hashlib.md5(SERVED["UCF11_updated_mpg.rar"]).hexdigest()
    for md5 in ("0" * 32, right):
        [archive] = datasets["ucf11"].archives
        changed = replace(datasets["ucf11"], archives=(replace(archive, md5=md5),))
        monkeypatch.setitem(datasets, "ucf11", changed)
        if md5 == right:
            (tmp_path / archive.name).unlink()
            assert get_dataset("ucf11", tmp_path / "u", base_url=mirror.base_url).clips == 2
        else:
            with pytest.raises(DownloadError, match=f"its MD5 is {right} instead of {md5}. Remove"):
                get_dataset("ucf11", tmp_path / "u", base_url=mirror.base_url)


def test_hashes_are_given_by_file(mirror: Mirror, tmp_path: Path) -> None:
    names = [archive.name for archive in datasets["ucf101"].archives]
    right = {name: hashlib.sha256(SERVED[name]).hexdigest().upper() for name in names}
    wrong = right | {names[1]: "0" * 64}
    with pytest.raises(DownloadError, match=f"{names[1]} is not the file it should be: its SHA"):
        get_dataset("ucf101", tmp_path / "u", base_url=mirror.base_url, sha256=wrong)
    assert get_dataset("ucf101", tmp_path / "u", base_url=mirror.base_url, sha256=right).clips == 2
    with pytest.raises(
        ConfigError, match=r"could be that of any of UCF101\.rar, .*: give it by file"
    ):
        get_dataset("ucf101", tmp_path / "u", sha256="0" * 64)


BROKEN_ARCHIVES = {
    "no archives inside": ({"climb/one.avi": b"1"}, "hmdb51_org.rar holds no archives, as it sh"),
    "one is damaged": ({"climb.rar": CLASSES["climb"][:60]}, r"climb\.rar is damaged or cut off"),
    "one does harm": ({"climb.rar": rar_of({"../x": b"1"})}, "'../x' climbs out of its folder"),
}


@pytest.mark.parametrize("case", ["no archives inside", "one is damaged", "one does harm"])
def test_a_broken_archive_leaves_nothing_half(mirror: Mirror, tmp_path: Path, case: str) -> None:
    tree, match = BROKEN_ARCHIVES[case]
    (tmp_path / "hmdb51_org.rar").write_bytes(rar_of(tree))
    with pytest.raises(ArchiveError, match=match):
        get_dataset("hmdb51", tmp_path / "hmdb", base_url=mirror.base_url)
    assert beside(tmp_path / "hmdb") == ["hmdb51_org.rar", "test_train_splits.rar"]


def test_two_archives_with_the_same_file(mirror: Mirror, tmp_path: Path) -> None:
    both = rar_of({**UCF, "UCF-101/ucfTrainTestlist/classInd.txt": b"other"})
    (tmp_path / "UCF101.rar").write_bytes(both)
    with pytest.raises(ArchiveError, match=r"Task\.zip holds 'classInd\.txt', which another arch"):
        get_dataset("ucf101", tmp_path / "ucf", base_url=mirror.base_url)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from vidclass.datasets import get
where, base_url, folder = sys.argv[1:]
published = get.datasets["hmdb51"]
archives = tuple(replace(a, md5=None) for a in published.archives)
get.datasets["hmdb51"] = replace(published, archives=archives, unknown_bytes=9)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(step, done, total):
    if step == where and done:
        die()
    if step == "unpack" and where == "remove":
        Path.unlink = die

def second(url, target, download=get.download, **options):
    if target.name == "test_train_splits.rar":
        die()
    return download(url, target, **options)

if where == "second":
    get.download = second
if where == "nested":
    get.unpack_nested = die
if where == "gather":
    get.move_entries = die
if where == "move":
    get.move_into_place = die
get.get_dataset("hmdb51", Path(folder), base_url=base_url, progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("where", ["download", "second", "unpack", "nested", "gather", "move"])
def test_killed_at_any_moment_the_same_call_completes_it(
    mirror: Mirror, tmp_path: Path, where: str
) -> None:
    folder = tmp_path / "hmdb"
    command = [sys.executable, "-c", KILLED, where, mirror.base_url, str(folder)]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert not folder.exists()
    receipt = get_dataset("hmdb51", folder, base_url=mirror.base_url)
    assert (receipt.clips, receipt.record.files) == (5, 6)
    assert set(beside(folder)) <= {"hmdb", "hmdb51_org.rar", "test_train_splits.rar"}
    assert get_dataset("hmdb51", folder).already_there


def test_a_broken_download_of_the_second_archive_goes_on(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch: Callable[..., object] = module.download

    def breaks(url: str, target: Path, **options: object) -> object:
        if target.suffix == ".zip":
            raise DownloadError("the line is down")
        return fetch(url, target, **options)

    with monkeypatch.context() as patch, pytest.raises(DownloadError, match="line is down"):
        patch.setattr(module, "download", breaks)
        get_dataset("ucf101", tmp_path / "ucf", base_url=mirror.base_url)
    assert beside(tmp_path / "ucf") == ["UCF101.rar"]
    get_dataset("ucf101", tmp_path / "ucf", base_url=mirror.base_url)
    assert [path.rsplit("/", 1)[-1][:7] for path in mirror.asked] == ["UCF101.", "UCF101T"]
