"""Extraction reads what is stored, computes the rest, and lists what failed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_network import FakeExtractor, MeanColour
from vidclass.data.manifest import Manifest
from vidclass.errors import VideoError
from vidclass.features import extract as extract_module
from vidclass.features.decoding import decode_for
from vidclass.features.extract import Extraction, extract
from vidclass.features.identity import clip_key
from vidclass.types import Span

Write = Callable[..., Path]
MakeManifest = Callable[..., Manifest]


def must_not_decode(*_: Any) -> None:
    raise AssertionError("decoded again")


def same(first: Extraction, second: Extraction) -> bool:
    pairs = zip(first.clips, second.clips, strict=True)
    return all(
        a is not None and b is not None and np.array_equal(a.features, b.features) for a, b in pairs
    )


@pytest.fixture
def videos(tiny_video: Write) -> list[Path]:
    return [tiny_video(f"v{frames}.avi", frames=frames) for frames in (5, 9, 20)]


def test_features_are_those_of_each_clip_in_order(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    manifest = manifest_of(videos)
    done = extract(manifest, fake.extractor(), store_folder=tmp_path)
    assert (done.ok, done.reused, done.failures, done.notes) == (3, 0, [], ())
    assert done.manifest is manifest
    for video, clip in zip(videos, done.clips, strict=True):
        batch = decode_for(fake.extractor().config, video, Span())
        expected = MeanColour().run(frames=batch.frames).astype(np.float16)
        assert clip is not None
        np.testing.assert_array_equal(clip.features, expected)
        np.testing.assert_array_equal(clip.timestamps_s, batch.timestamps_s)


def test_a_second_run_decodes_nothing(
    videos: list[Path],
    fake: FakeExtractor,
    manifest_of: MakeManifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = extract(manifest_of(videos), fake.extractor(), store_folder=tmp_path)
    monkeypatch.setattr(extract_module, "decode_for", must_not_decode)
    again = extract(manifest_of(videos[::-1]), fake.extractor(), store_folder=tmp_path)
    assert (again.ok, again.reused, fake.opened) == (3, 3, 1)
    assert same(extract(manifest_of(videos), fake.extractor(), store_folder=tmp_path), first)


def test_the_default_store_is_in_the_cache(
    videos: list[Path],
    fake: FakeExtractor,
    manifest_of: MakeManifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    extract(manifest_of(videos), fake.extractor())
    assert (tmp_path / "cache" / "features" / "settings.v2.lance").is_dir()


def test_a_moved_video_is_found_again(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    first = extract(manifest_of(videos[:1]), fake.extractor(), store_folder=tmp_path / "store")
    moved = tmp_path / "elsewhere" / "other name.avi"
    moved.parent.mkdir()
    videos[0].rename(moved)
    again = extract(manifest_of([moved]), fake.extractor(), store_folder=tmp_path / "store")
    assert again.reused == 1
    assert same(again, first)


def test_an_edited_video_is_made_again(
    fake: FakeExtractor, manifest_of: MakeManifest, tiny_video: Write, tmp_path: Path
) -> None:
    video = tiny_video(frames=5)
    first = extract(manifest_of([video]), fake.extractor(), store_folder=tmp_path)
    tiny_video(frames=9)
    again = extract(manifest_of([video]), fake.extractor(), store_folder=tmp_path)
    assert again.reused == 0
    assert not same(again, first)


def test_other_settings_have_a_store_of_their_own(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    extract(manifest_of(videos), fake.extractor(), store_folder=tmp_path)
    other = fake.extractor(frames=2, fingerprint="other")
    again = extract(manifest_of(videos), other, store_folder=tmp_path)
    assert again.reused == 0
    assert [clip is not None and len(clip.features) for clip in again.clips] == [2, 2, 2]


def test_spans_of_one_video_are_different_clips(
    fake: FakeExtractor, manifest_of: MakeManifest, tiny_video: Write, tmp_path: Path
) -> None:
    video = tiny_video(frames=25)
    spans = [(0.0, None), (0.0, 0.4), (0.4, None), (0.4, 0.8)]
    done = extract(manifest_of([video] * 4, spans), fake.extractor(), store_folder=tmp_path)
    assert len({clip.timestamps_s.tobytes() for clip in done.clips if clip is not None}) == 4
    partly = extract(
        manifest_of([video] * 2, [(0.4, 0.8), (0.1, 0.8)]), fake.extractor(), store_folder=tmp_path
    )
    assert (partly.ok, partly.reused) == (2, 1)


def test_a_clips_key_hangs_on_bytes_and_span() -> None:
    keys = {
        clip_key("a", Span()),
        clip_key("b", Span()),
        clip_key("a", Span(1.0)),
        clip_key("a", Span(0.0, 1.0)),
        clip_key("a", Span(1.0, 2.0)),
    }
    assert len(keys) == 5


def test_copies_of_a_video_are_computed_once(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.avi"
    shutil.copy(videos[0], copy)
    manifest = manifest_of([videos[0], copy, videos[1]])
    done = extract(manifest, fake.extractor(), store_folder=tmp_path / "store")
    assert (done.ok, done.reused, sum(fake.network.batches)) == (3, 0, 8)
    assert same(extract(manifest, fake.extractor(), store_folder=tmp_path / "store"), done)


def bad_files(folder: Path) -> list[Path]:
    names = ["missing.avi", "empty.avi", "text.avi", "folder.avi", "same text.avi", "loop.avi"]
    paths = [folder / name for name in names]
    paths[1].write_bytes(b"")
    paths[2].write_text("no video at all")
    paths[3].mkdir()
    paths[4].write_text("no video at all")
    paths[5].symlink_to(paths[5])
    return paths


def test_unreadable_clips_are_in_the_ledger_only(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    bad = bad_files(tmp_path)
    manifest = manifest_of([bad[0], videos[0], *bad[1:], videos[1]])
    done = extract(manifest, fake.extractor(), store_folder=tmp_path / "store")
    assert (done.ok, done.reused) == (2, 0)
    assert [clip is not None for clip in done.clips] == [False, True] + [False] * 5 + [True]
    assert [Path(failure.video) for failure in done.failures] == bad
    assert {failure.error_type for failure in done.failures} == {"VideoError"}
    messages = [failure.message for failure in done.failures]
    assert messages[0].endswith("missing.avi: no such file. Check the path, or set `root`.")
    assert "empty.avi" in messages[1]
    assert "text.avi" in messages[2]
    assert messages[3].endswith("folder.avi: is a folder, not a video. Give the files in it.")
    assert "loop.avi: cannot be read (" in messages[5]
    assert messages[5].endswith("Check the disk.")
    assert [done.failures[k].stage for k in (0, 3, 5)] == ["probe"] * 3


def test_a_failed_clip_is_tried_again(
    fake: FakeExtractor, manifest_of: MakeManifest, tiny_video: Write, tmp_path: Path
) -> None:
    video = tmp_path / "tiny.avi"
    assert extract(manifest_of([video]), fake.extractor(), store_folder=tmp_path / "s").ok == 0
    tiny_video()
    assert extract(manifest_of([video]), fake.extractor(), store_folder=tmp_path / "s").ok == 1


@pytest.mark.parametrize(("index", "message"), [(0, "no such file"), (2, "text.avi")])
def test_strict_raises_the_first_failure(
    index: int,
    message: str,
    videos: list[Path],
    fake: FakeExtractor,
    manifest_of: MakeManifest,
    tmp_path: Path,
) -> None:
    manifest = manifest_of([videos[0], bad_files(tmp_path)[index], videos[1]])
    store = tmp_path / "store"
    with pytest.raises(VideoError, match=message):
        extract(manifest, fake.extractor(), store_folder=store, strict=True)
    # A file that cannot be hashed raises before any clip is extracted, another one in its turn.
    kept = extract(manifest_of(videos[:1]), fake.extractor(), store_folder=store).reused
    assert kept == (0 if index == 0 else 1)


def test_progress_reports_both_stages(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    reports: list[tuple[str, int, int]] = []
    manifest = manifest_of([*videos, videos[0]], [(0.0, None)] * 3 + [(0.08, None)])
    extract(
        manifest,
        fake.extractor(),
        store_folder=tmp_path,
        progress=lambda stage, done, total: reports.append((stage, done, total)),
    )
    hashed = [("hash", k, 3) for k in (1, 2, 3)]
    assert reports == hashed + [("extract", k, 4) for k in (1, 2, 3, 4)]


class Interrupted(MeanColour):
    """The user presses Ctrl-C during one of its runs."""

    def run(self, **inputs: Any) -> Any:
        if len(self.batches) == 12:
            raise KeyboardInterrupt
        return super().run(**inputs)


def test_an_interrupted_run_keeps_every_finished_clip(
    fake: FakeExtractor,
    manifest_of: MakeManifest,
    tiny_video: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extract_module, "APPEND_CLIPS", 8)
    count = 20
    spans = [(k / 25, None) for k in range(count)]
    manifest = manifest_of([tiny_video(frames=count + 5)] * count, spans)
    fake.network = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        extract(manifest, fake.extractor(), store_folder=tmp_path)
    fake.network = MeanColour()
    again = extract(manifest, fake.extractor(), store_folder=tmp_path)
    assert (again.ok, again.reused) == (count, 12)
    assert sum(fake.network.batches) == 8 * 4


def test_the_slower_route_is_noted_when_it_was_used(
    videos: list[Path], fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    fake.route = "keras"
    first = extract(manifest_of(videos), fake.extractor(), store_folder=tmp_path)
    assert first.notes == ("it runs in Keras",)
    assert extract(manifest_of(videos), fake.extractor(), store_folder=tmp_path).notes == ()


def test_no_clips_are_no_work(
    fake: FakeExtractor, manifest_of: MakeManifest, tmp_path: Path
) -> None:
    done = extract(manifest_of([]), fake.extractor(), store_folder=tmp_path)
    assert (done.ok, done.clips, done.failures, fake.opened) == (0, [], [], 0)
