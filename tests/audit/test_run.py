"""Whole audits of tiny clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_set import write_clip, write_set
from vidclass.audit import Audit, check
from vidclass.audit.report import as_json
from vidclass.audit.run import read_for_check
from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError

CONFIG = FeatureConfig(
    weights="random", sampling=SamplingConfig(frames=5), geometry=GeometryConfig(size=32)
)


def kinds(audit: Audit) -> list[str]:
    return [issue.kind for issue in audit.issues]


def test_a_folder_with_issues(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", groups=3)
    shutil.copy(folder / "dark" / "v_dark_g00_c01.avi", folder / "light" / "v_light_g00_c02.avi")
    (folder / "dark" / "v_dark_g01_c02.avi").write_bytes(b"")
    steps: set[str] = set()
    audit = check(
        read_for_check(folder),
        store_folder=tmp_path / "store",
        progress=lambda stage, done, total: steps.add(stage),
    )
    assert (audit.ok, len(audit.failures)) == (7, 1)
    assert kinds(audit)[:2] == ["unreadable", "exact_duplicates_across_labels"]
    [duplicates] = audit.duplicates
    names = [Path(audit.manifest.table["video"][row]).name for row in duplicates.rows]
    assert names == ["v_dark_g00_c01.avi", "v_light_g00_c02.avi"]
    assert steps == {"inspect", "hash"}
    assert [note.split(":")[0] for note in audit.skipped] == [
        "3 frames of each clip were decoded",
        "near duplicates and wrong labels were not searched for",
    ]
    assert all(each.thumbnail for each in audit.inspections if not each.failure)


def test_a_sound_folder(tmp_path: Path) -> None:
    audit = check(write_set(tmp_path / "set"), store_folder=tmp_path / "store")
    assert (audit.issues, audit.failures, audit.duplicates) == ((), [], ())


@pytest.mark.slow
def test_features_are_extracted_on_demand_and_used_if_stored(
    tiny_set: Path, tmp_path: Path
) -> None:
    manifest = read_for_check(tiny_set)
    options = {"config": CONFIG, "store_folder": tmp_path / "store"}
    before = check(manifest, **options)  # type: ignore[arg-type]
    assert before.agreement is None
    extracted = check(manifest, features=True, **options)  # type: ignore[arg-type]
    assert extracted.agreement is not None
    after = check(manifest, **options)  # type: ignore[arg-type]
    assert after.agreement == extracted.agreement
    assert after.label_issues == extracted.label_issues
    assert not [note for note in after.skipped if "`features=True`" in note]
    deep = check(manifest, deep=True, **options)  # type: ignore[arg-type]
    assert (deep.skipped, deep.inspections[0].inspected_frames) == ((), 8)


@pytest.mark.slow
def test_a_clip_without_features_counts_as_unreadable(
    tiny_video: Callable[..., Path], tmp_path: Path
) -> None:
    """Three frames can be decoded; one of the five that features need is lost."""
    path = tmp_path / "set" / "dark" / "damaged.avi"
    path.parent.mkdir(parents=True)
    tiny_video("damaged.avi", frames=100, options={"g": "1"}).rename(path)
    content = bytearray(path.read_bytes())
    index = content.rindex(b"idx1")
    start = index * 87 // 100
    content[start : start + 1500] = b"\xff" * 1500
    path.write_bytes(content)
    write_clip(tmp_path / "set" / "light" / "a.avi", "light")
    manifest = read_for_check(tmp_path / "set")
    options = {"config": CONFIG, "store_folder": tmp_path / "store"}
    assert check(manifest, **options).ok == 2  # type: ignore[arg-type]
    audit = check(manifest, features=True, **options)  # type: ignore[arg-type]
    assert audit.ok == 1
    assert "can be decoded" in audit.failures[0].message
    assert "unreadable" in kinds(audit)


def test_a_leak_and_a_contradiction_are_issues(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", groups=2)
    rows = ["video,label,split"]
    rows += [f"set/dark/v_dark_g00_c01.avi,dark,{split}" for split in ("train", "test")]
    rows += [f"set/dark/v_dark_g01_c01.avi,{label},train" for label in ("dark", "light")]
    (tmp_path / "leak.csv").write_text("\n".join(rows))
    with pytest.raises(ManifestError):
        Manifest.from_source(tmp_path / "leak.csv", allow_leak=True)
    audit = check(read_for_check(tmp_path / "leak.csv"), store_folder=folder / "store")
    assert kinds(audit)[:2] == ["leak", "contradiction"]
    assert audit.issues[0].severity == "error"


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist"):
        read_for_check(tmp_path / "gone")


def test_a_bad_ledger_is_refused_before_the_work(tmp_path: Path) -> None:
    manifest = read_for_check(write_set(tmp_path / "set", groups=1))
    steps: list[str] = []
    with pytest.raises(ConfigError, match="cannot read the ledger"):
        check(manifest, ledger=tmp_path / "no", progress=lambda stage, *_: steps.append(stage))
    assert not steps


def test_json(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", groups=2)
    (folder / "dark" / "bad.avi").write_bytes(b"bad")
    audit = check(read_for_check(folder), store_folder=tmp_path / "store")
    record = json.loads(json.dumps(as_json(audit)))
    assert list(record) == [
        "schema",
        "deep",
        "clips",
        "ok",
        "failed",
        "duration_s",
        "groups",
        "notes",
        "skipped",
        "issues",
        "classes",
        "properties",
        "duplicates",
        "agreement",
        "label_issues",
        "failures",
        "ledger",
        "videos",
    ]
    assert (record["schema"], record["clips"], record["ok"], record["failed"]) == (1, 5, 4, 1)
    assert record["issues"][0]["videos"] == [str(folder / "dark" / "bad.avi")]
    assert record["properties"]["codec"][0]["files"] == 4
    bad, good = record["videos"][:2]
    assert (bad["readable"], bad["file"], bad["label"]) == (False, None, "dark")
    assert (good["readable"], good["file"]["fps"], good["frames"]) == (True, 10.0, 8)
