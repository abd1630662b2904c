"""Where files are kept, and how they are written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from vidclass._core.files import cache_folder, making_folder, replacing, sha256_of, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize("chosen", [None, ""])
def test_the_cache_folder_is_the_users_own(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDCLASS_CACHE")
    if chosen is not None:
        monkeypatch.setenv("VIDCLASS_CACHE", chosen)
    assert cache_folder().is_absolute()
    assert "vidclass" in cache_folder().parts


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_checksum_covers_every_byte(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with replacing(path) as temp:
        temp.write_text("new")
        assert path.read_text() == "old"
        assert temp.suffix == ".json"
        assert temp.parent == tmp_path
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_writer_leaves_the_old_file(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temp:
        temp.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_text_is_written_as_utf8_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "entry"
    with making_folder(folder) as temp:
        (temp / "a").write_text("1")
        assert not folder.exists()
    assert names(folder) == ["a"]
    assert names(folder.parent) == ["entry"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_making_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error), making_folder(tmp_path / "entry") as temp:
        (temp / "a").write_text("1")
        raise error
    assert names(tmp_path) == []


def test_a_folder_that_somebody_else_made_first_stays(tmp_path: Path) -> None:
    with making_folder(tmp_path / "entry") as temp:
        (temp / "ours").write_text("1")
        (tmp_path / "entry").mkdir()
        (tmp_path / "entry" / "theirs").write_text("1")
    assert names(tmp_path) == ["entry"]
    assert names(tmp_path / "entry") == ["theirs"]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "entry").write_text("a file")
    with pytest.raises(OSError, match="entry"), making_folder(tmp_path / "entry") as temp:
        (temp / "a").write_text("1")
    assert names(tmp_path) == ["entry"]
