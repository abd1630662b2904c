"""`vidclass data get` against a local server."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from served_file import Site
from typer.testing import CliRunner

from vidclass.cli.main import app


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
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"ucf101-top5 is ready: {tmp_path / 'ucf'} (1 files)"
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
