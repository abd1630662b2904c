"""Image sequences as clips, and clips with randomly sampled frames."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fake_network import FakeExtractor
from tiny_images import write_images
from vidclass.config import SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA
from vidclass.errors import VideoError
from vidclass.features import identity as identity_module
from vidclass.features.decoding import decode_for
from vidclass.features.extract import extract
from vidclass.features.extractor import FeatureExtractor
from vidclass.features.identity import FileSignature, clip_key, hash_video, identify
from vidclass.types import Span

TinyVideo = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an own cache, which accepts files however new they are."""
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(identity_module, "CLOCK_TICK_NS", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "clip")


def write(folder: Path, count: int = 20) -> Path:
    return write_images(folder, name="img_{:05}.png", numbers=range(1, count + 1), size=(32, 24))


def hashed(folder: Path) -> str:
    [done] = identify([folder])
    assert done.result is not None, done.error
    return done.result.sha256


def test_content_and_names_decide_not_the_place(folder: Path, tmp_path: Path) -> None:
    first = hashed(folder)
    assert len(first) == 64
    assert hashed(folder) == first == hash_video(folder).sha256
    assert hashed(folder.rename(tmp_path / "moved")) == first
    assert hashed(write(tmp_path / "copy")) == first
    assert hashed(write(tmp_path / "shorter", count=19)) != first


def swap_two(folder: Path) -> None:
    one, two, other = folder / "img_00001.png", folder / "img_00002.png", folder / "other"
    one.rename(other)
    two.rename(one)
    other.rename(two)


def edit_quietly(folder: Path) -> None:
    """Same size, same time of writing."""
    path = folder / "img_00003.png"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 1
    while path.stat().st_ctime_ns <= max(
        p.stat().st_ctime_ns for p in folder.iterdir() if p != path
    ):
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "img_00002.png").write_bytes(b"other"),
        lambda folder: (folder / "img_00020.png").unlink(),
        lambda folder: (folder / "img_00021.png").write_bytes(b""),
        swap_two,
        pytest.param(edit_quietly, marks=pytest.mark.skipif(os.name != "posix", reason="ctime")),
    ],
    ids=["written", "removed", "added", "swapped", "hidden"],
)
def test_an_edit_is_noticed(edit: Callable[[Path], object], folder: Path) -> None:
    identity = hash_video(folder)
    first = hashed(folder)
    edit(folder)
    assert hashed(folder) != first
    with pytest.raises(VideoError, match=r"clip: changed while it was being read\. Run the same"):
        identity.require_unchanged()


def test_an_unchanged_folder_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hashed(folder)

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert hashed(folder) == first


def test_other_files_in_the_folder_are_no_change(folder: Path) -> None:
    identity = hash_video(folder)
    (folder / "Thumbs.db").write_bytes(b"whatever")
    identity.require_unchanged()
    assert hashed(folder) == identity.sha256


def test_a_folder_that_changes_while_it_is_hashed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def meanwhile(path: Path) -> bytes:
        (folder / "img_00001.png").write_bytes(b"longer than any image before" * 100)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", meanwhile)
    with pytest.raises(VideoError, match="changed while it was being read"):
        hash_video(folder)


def test_a_folder_with_a_gap_fails_alone(folder: Path, tmp_path: Path) -> None:
    gap = write(tmp_path / "gap")
    (gap / "img_00007.png").unlink()
    done = {item.item: item for item in identify([gap, folder])}
    assert "number 7 is missing" in str(done[gap].error)
    assert done[folder].result is not None
    with pytest.raises(VideoError, match="number 7 is missing"):
        FileSignature.from_path(gap)


def test_the_rate_is_part_of_a_folders_key_alone() -> None:
    keys = [clip_key("0" * 64, Span(), fps) for fps in (None, 10.0, 25.0)]
    assert len(set(keys)) == 3
    # Keys of files are what they were before there were folders.
    assert keys[0] == "8fc1b4956f018b3433acb3f450dc0ea3"


def folders_manifest(*rows: tuple[Path, float | None]) -> Manifest:
    table = [(str(video), "a", None, None, None, 0.0, 1.0, fps) for video, fps in rows]
    return Manifest(pl.DataFrame(table, schema=dict(SCHEMA), orient="row"))


def test_features_of_a_folder_go_by_its_rate(
    folder: Path, tiny_video: TinyVideo, fake: FakeExtractor, tmp_path: Path
) -> None:
    video = tiny_video("v.avi")
    rows = [(folder, 10.0), (folder, 5.0), (folder, None), (video, None), (video, 25.0)]
    result = extract(folders_manifest(*rows), fake.extractor(), store_folder=tmp_path / "store")
    assert [key is not None for key in result.keys] == [True, True, False, True, False]
    slow, slower = result.clips[0], result.clips[1]
    assert slow is not None and slower is not None
    np.testing.assert_allclose(slow.timestamps_s, [0.1, 0.3, 0.6, 0.8])
    np.testing.assert_allclose(slower.timestamps_s, [0.0, 0.2, 0.6, 0.8])
    messages = [failure.message for failure in result.failures]
    assert "without a frame rate" in messages[0]
    assert "has its own times, but fps=25 is given" in messages[1]
    again = extract(folders_manifest(*rows), fake.extractor(), store_folder=tmp_path / "store")
    assert again.reused == 3


def random_extractor(fake: FakeExtractor, **sampling: Any) -> FeatureExtractor:
    extractor = fake.extractor()
    chosen = SamplingConfig(policy="random", **{"frames": 4, **sampling})
    return dataclasses.replace(
        extractor, config=extractor.config.model_copy(update={"sampling": chosen})
    )


def test_a_drawn_clip_is_always_the_same(
    tiny_video: TinyVideo, fake: FakeExtractor, manifest_of: Callable[..., Manifest], tmp_path: Path
) -> None:
    video = tiny_video("v.avi", frames=200)
    extractor = random_extractor(fake)
    features = extract(manifest_of([video]), extractor, store_folder=tmp_path / "store").clips[0]
    assert features is not None
    copy = tmp_path / "other name.avi"
    copy.write_bytes(video.read_bytes())
    # As in prediction, where nobody has hashed the video.
    decoded = decode_for(extractor.config, copy, Span())
    np.testing.assert_array_equal(decoded.timestamps_s, features.timestamps_s)


def test_seed_clip_and_span_draw_otherwise(tiny_video: TinyVideo, fake: FakeExtractor) -> None:
    def times_s(name: str, seed: int, span: Span = Span()) -> tuple[float, ...]:  # noqa: B008
        video = tiny_video(name, frames=250, options={"g": "250"} if name == "b.avi" else {})
        return tuple(decode_for(random_extractor(fake, seed=seed).config, video, span).timestamps_s)

    drawn = [
        times_s("a.avi", 0),
        times_s("a.avi", 1),
        times_s("b.avi", 0),
        times_s("a.avi", 0, Span(0.0, 9.99)),
    ]
    assert len(set(drawn)) == 4
    assert drawn[0] == times_s("a.avi", 0)
    for times in drawn:
        assert (np.array(times) // 2.5).astype(int).tolist() == [0, 1, 2, 3]


def test_views_give_that_many_more_frames(tiny_video: TinyVideo, fake: FakeExtractor) -> None:
    video = tiny_video("v.avi", frames=100)
    batch = decode_for(random_extractor(fake, frames=4, views=3).config, video, Span())
    assert len(batch.frames) == 12
    assert (batch.timestamps_s * 12 // 4).astype(int).tolist() == list(range(12))
