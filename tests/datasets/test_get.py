from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from served_mirror import Mirror, beside, content, serve_mirror
from vidclass.datasets import archive
from vidclass.datasets import get as module
from vidclass.datasets.catalogue import dataset_rows, datasets
from vidclass.datasets.get import get_dataset
from vidclass.datasets.record import RECORD_NAME
from vidclass.errors import ArchiveError, ConfigError, DownloadError

NAME = "ucf101-top5"
TREE = {
    "train.csv": b"video_name,tag\na.avi,Punch\n",
    "test.csv": b"video_name,tag\nb.avi,Punch\n",
    "train/a.avi": os.urandom(400_000),
    "test/b.avi": b"b" * 1000,
}


def archive_bytes() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in TREE.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


ARCHIVE = archive_bytes()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory, impatient: None) -> Iterator[Mirror]:
    root = tmp_path_factory.mktemp("served")
    with serve_mirror(root, {"ucf101_top5.tar.gz": ARCHIVE}) as mirror:
        yield mirror


def test_a_data_set_is_fetched_unpacked_and_recorded(mirror: Mirror, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    folder = tmp_path / "ucf"
    receipt = get_dataset(
        NAME, folder, base_url=mirror.base_url, progress=lambda *step: steps.append(step)
    )
    assert content(folder) == TREE
    assert beside(folder) == ["ucf"]
    assert (receipt.folder, receipt.already_there, receipt.kept_archives) == (folder, False, ())
    assert receipt.clips == 2
    written = json.loads((folder / RECORD_NAME).read_text())
    age = datetime.now().astimezone() - datetime.fromisoformat(written.pop("date"))
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert written == {
        "schema": 2,
        "name": NAME,
        "archives": [
            {
                "url": f"{mirror.base_url}ucf101_top5.tar.gz",
                "size_bytes": len(ARCHIVE),
                "sha256": SHA256,
            }
        ],
        "files": 4,
    }
    assert [name for name, *_ in steps] == sorted(name for name, *_ in steps)
    assert steps[-1] == ("unpack", len(ARCHIVE), len(ARCHIVE))


def test_a_complete_folder_needs_nothing(mirror: Mirror, tmp_path: Path) -> None:
    first = get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    (tmp_path / "ucf" / "notes.txt").write_text("what the user adds is no matter")
    again = get_dataset(NAME, tmp_path / "ucf", sha256=SHA256.upper())
    assert again.already_there
    assert again.record == first.record
    assert len(mirror.asked) == 1


def test_an_archive_put_there_by_hand_is_taken_and_kept(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "ucf101_top5.tar.gz").write_bytes(ARCHIVE)
    receipt = get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    assert mirror.asked == []
    assert receipt.kept_archives == (tmp_path / "ucf101_top5.tar.gz",)
    assert receipt.kept_archives[0].exists()
    assert get_dataset(NAME, tmp_path / "ucf").kept_archives == receipt.kept_archives


def test_offline_says_where_to_put_the_file_and_goes_on_from_there(
    mirror: Mirror, tmp_path: Path
) -> None:
    archive_path = tmp_path / "ucf101_top5.tar.gz"
    with pytest.raises(DownloadError, match=f"404 File not found.* at {archive_path}: the same"):
        get_dataset(NAME, tmp_path / "ucf", base_url=f"{mirror.base_url}/wrong")
    archive_path.write_bytes(ARCHIVE)
    assert content(get_dataset(NAME, tmp_path / "ucf").folder) == TREE


def test_a_wrong_checksum(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"its SHA-256 is {SHA256} instead of {'0' * 64}"):
        get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_another_checksum_than_the_recorded_one(mirror: Mirror, tmp_path: Path) -> None:
    get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    with pytest.raises(
        DownloadError, match=f"top5.tar.gz, with the SHA-256 {SHA256} instead of {'0' * 64}"
    ):
        get_dataset(NAME, tmp_path / "ucf", sha256="0" * 64)


def test_a_damaged_archive_is_named(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "ucf101_top5.tar.gz").write_bytes(ARCHIVE[:1000])
    with pytest.raises(ArchiveError, match=r"ucf101_top5\.tar\.gz is damaged, .*Remove it and"):
        get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    assert beside(tmp_path / "ucf") == ["ucf101_top5.tar.gz"]


def test_a_folder_with_something_else_is_refused_before_any_download(
    mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match=rf"not empty, without {RECORD_NAME}: name a new folder"):
        get_dataset(NAME, tmp_path, base_url=mirror.base_url)
    with pytest.raises(ConfigError, match="mine is there already and no folder"):
        get_dataset(NAME, tmp_path / "mine", base_url=mirror.base_url)
    assert mirror.asked == []


def test_files_that_were_removed_are_missed(mirror: Mirror, tmp_path: Path) -> None:
    get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    (tmp_path / "ucf" / "test" / "b.avi").unlink()
    with pytest.raises(DownloadError, match=f"ucf holds 3 of the 4 files of '{NAME}': some were"):
        get_dataset(NAME, tmp_path / "ucf")


def test_a_record_of_the_first_schema_is_read(mirror: Mirror, tmp_path: Path) -> None:
    receipt = get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    path = tmp_path / "ucf" / RECORD_NAME
    value = json.loads(path.read_text())
    [archive_record] = value.pop("archives")
    path.write_text(json.dumps(value | archive_record | {"schema": 1}))
    assert get_dataset(NAME, tmp_path / "ucf").record == receipt.record


def test_a_folder_of_another_data_set(mirror: Mirror, tmp_path: Path) -> None:
    get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    record = tmp_path / "ucf" / RECORD_NAME
    record.write_text(record.read_text().replace(NAME, "hmdb51"))
    with pytest.raises(ConfigError, match=f"holds the data set 'hmdb51': name another .* '{NAME}'"):
        get_dataset(NAME, tmp_path / "ucf")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": 1}', '{"schema": 2}', '{"schema": 3}', "[]"]
)
def test_a_record_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD_NAME).write_text(text)
    with pytest.raises(DownloadError, match=rf"{RECORD_NAME} cannot be read \(.*Remove its folder"):
        get_dataset(NAME, tmp_path)


def test_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"data set='ucf101-top' is .* Did you mean '{NAME}'"):
        get_dataset("ucf101-top", tmp_path)


def test_the_default_address_is_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(url: str, *_: object, **__: object) -> None:
        raise DownloadError(url)

    monkeypatch.setattr(module, "download", asked)
    with pytest.raises(DownloadError, match=rf"^{datasets[NAME].archives[0].url}$"):
        get_dataset(NAME, tmp_path / "ucf")


@pytest.mark.parametrize("patched", [archive, module])
def test_a_disk_that_fills_up_leaves_the_archive_only(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patched: Any
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(patched, "move_into_place", full)
        with pytest.raises(ArchiveError, match="cannot .*No space left on device.* again"):
            get_dataset(NAME, tmp_path / "ucf", base_url=mirror.base_url)
    assert beside(tmp_path / "ucf") == ["ucf101_top5.tar.gz"]
    assert content(get_dataset(NAME, tmp_path / "ucf").folder) == TREE


KILLED = """
import os, signal, sys
from pathlib import Path
from vidclass.datasets import get
where, base_url, folder = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(step, done, total):
    if step == where and done:
        die()
    if step == "unpack" and where == "remove":
        Path.unlink = die

def replace_and_die(source, target, replace=os.replace):
    replace(source, target)
    die()

if where == "move":
    get.move_into_place = die
if where == "rename":
    os.replace = replace_and_die
get.get_dataset("ucf101-top5", Path(folder), base_url=base_url, progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("where", ["download", "rename", "unpack", "move", "remove"])
def test_killed_at_any_moment_the_same_call_completes_it(
    mirror: Mirror, tmp_path: Path, where: str
) -> None:
    folder = tmp_path / "ucf"
    command = [sys.executable, "-c", KILLED, where, mirror.base_url, str(folder)]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    receipt = get_dataset(NAME, folder, base_url=mirror.base_url)
    assert content(folder) == TREE
    assert receipt.record.archives[0].sha256 == SHA256
    kept = [path.name for path in receipt.kept_archives]
    assert beside(folder) == ["ucf", *kept]
    assert bool(kept) == (where != "download")


def test_the_table_has_a_row_for_every_data_set() -> None:
    rows = dataset_rows()
    assert [row["name"] for row in rows] == list(datasets)
    assert rows[0]["clips"] == "818"
    assert [row["size"] for row in rows] == ["unknown", "6.9 GB", "about 2.1 GB", "about 1.1 GB"]
    assert [row["classes"] for row in rows] == ["5", "101", "51", "11"]
    assert all(all(row.values()) for row in rows)
