"""`vidclass data get` against a local server."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from served_file import Site, serve
from vidclass.cli.main import app


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A local server of one file, without a proxy between it and the test."""
    monkeypatch.setenv("no_proxy", "*")
    with serve() as site:
        yield site


def test_data_get(site: Site, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.csv")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"a,b\n\n"))
    site.script.data = out.getvalue()
    mirror = site.url.rsplit("/", 1)[0]
    command = ["data", "get", "ucf101-top5", str(tmp_path / "ucf"), "--base-url", mirror]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert done.stderr == "note: there are 0 clips in it; 818 are announced\n"
    lines = done.stdout.splitlines()
    assert lines[0] == f"ucf101-top5 is ready: {tmp_path / 'ucf'} (0 clips, 1 files)"
    assert lines[1].startswith(f"archive: {len(site.script.data)} bytes, SHA-256 ")
    assert (tmp_path / "ucf" / "train.csv").read_bytes() == b"a,b\n\n"

    done = CliRunner().invoke(app, command)
    assert "is there already" in done.stdout
    done = CliRunner().invoke(app, [*command, "--sha256", "0" * 64])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "instead of 0000" in done.stderr


def test_an_archive_that_was_put_there_is_kept(site: Site, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "ucf101_top5.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("empty.csv"))
    site.script.data = (tmp_path / "ucf101_top5.tar.gz").read_bytes()
    mirror = site.url.rsplit("/", 1)[0]
    command = ["data", "get", "ucf101-top5", str(tmp_path / "ucf"), "--base-url", mirror]
    done = CliRunner().invoke(app, command)
    kept = tmp_path / "ucf101_top5.tar.gz"
    assert done.stdout.splitlines()[-1] == f"the archive was kept: {kept}"


def test_data_list_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["data", "list"])
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) == 80
    row = next(line for line in lines if line.startswith("│ ucf101 "))
    assert [cell.strip() for cell in row.split("│")[3:6]] == ["101", "13320", "6.9 GB"]
    assert "Creative Commons Attribution 4.0" in done.stdout
    assert lines[-1] == "`vidclass data get NAME DIR` fetches one into the new folder DIR"


@pytest.mark.parametrize(
    ("hashes", "problem"),
    [
        (["0" * 64], f"--sha256 '{'0' * 64}' could be that of any of UCF101.rar, UCF101Train"),
        (["UCF101.zip=0"], "archive='UCF101.zip' is not one of .* Did you mean 'UCF101.rar'?"),
        (["0", "UCF101.rar=1"], "--sha256 '0' of which archive. Write FILE=0"),
    ],
)
def test_hashes_of_several_archives(tmp_path: Path, hashes: list[str], problem: str) -> None:
    options = [word for text in hashes for word in ("--sha256", text)]
    done = CliRunner().invoke(app, ["data", "get", "ucf101", str(tmp_path / "ucf"), *options])
    assert done.exit_code == 2
    assert re.search(problem, done.stderr)
