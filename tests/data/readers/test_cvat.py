"""CVAT's tracks and tags become spans, or are refused with what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader_rows import rows, touch, write
from vidclass.data.readers import cvat
from vidclass.data.readers.reader import ReadOptions
from vidclass.errors import ManifestError

AT_10 = ReadOptions(fps=10)
SPAN = ("start_s", "stop_s")


def xml(body: str, *, source: str = "<source>a.mp4</source>", task: str = "") -> str:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    return f"{head}<meta><task>{task}{source}</task></meta>\n{body}\n</annotations>\n"


def track(*frames: tuple[int, int], label: str = "jump", shape: str = "box") -> str:
    inner = "".join(f'<{shape} frame="{f}" keyframe="1" outside="{o}"/>' for f, o in frames)
    return f'<track id="0" label="{label}" source="manual">{inner}</track>'


def spans(folder: Path, text: str) -> list[tuple[object, ...]]:
    return rows(cvat.read(write(folder, "a.xml", text), AT_10), folder, *SPAN)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([(10, 0), (11, 0), (12, 0)], [(1.0, 1.3)]),
        ([(10, 0), (11, 1)], [(1.0, 1.1)]),
        ([(10, 0), (20, 1)], [(1.0, 2.0)]),  # frames between key frames are visible
        ([(0, 0), (9, 0), (10, 1), (20, 0), (25, 0)], [(0.0, 1.0), (2.0, 2.6)]),
        ([(5, 1), (20, 0)], [(2.0, 2.1)]),
        ([(20, 1), (10, 0)], [(1.0, 2.0)]),  # not in order
        ([(20, 1)], []),
    ],
)
def test_a_span_per_visible_stretch(
    tmp_path: Path, frames: list[tuple[int, int]], expected: list[tuple[float, float]]
) -> None:
    text = xml(track((100, 0), label="z") + track(*frames))
    wanted = [("a.mp4", "jump", *span) for span in expected]
    assert spans(tmp_path, text) == [("a.mp4", "z", 10.0, 10.1), *wanted]


@pytest.mark.parametrize("shape", ["polygon", "polyline", "points", "cuboid", "skeleton", "mask"])
def test_every_shape_counts(tmp_path: Path, shape: str) -> None:
    text = xml(track((1, 0), (2, 1), shape=shape))
    assert cvat.accepts(write(tmp_path, "a.xml", text))
    assert spans(tmp_path, text) == [("a.mp4", "jump", 0.1, 0.2)]


def test_overlapping_tracks_stay_apart(tmp_path: Path) -> None:
    text = xml(track((0, 0), (9, 1)) + track((5, 0), (9, 1), label="run"))
    assert spans(tmp_path, text) == [("a.mp4", "jump", 0.0, 0.9), ("a.mp4", "run", 0.5, 0.9)]


def test_tags_that_follow_one_another_are_one_span(tmp_path: Path) -> None:
    tags = "".join(f'<tag label="run" frame="{frame}"/>' for frame in (4, 3, 5, 9, 3))
    assert spans(tmp_path, xml(tags)) == [("a.mp4", "run", 0.3, 0.6), ("a.mp4", "run", 0.9, 1.0)]


def test_tags_of_the_format_for_images(tmp_path: Path) -> None:
    images = "".join(
        f'<image id="{frame}" name="frame_{frame:06}"><tag label="run"/></image>'
        for frame in (7, 8)
    )
    assert spans(tmp_path, xml(images)) == [("a.mp4", "run", 0.7, 0.9)]
    with pytest.raises(ManifestError, match=r"a tag must have the number of .*; tag 1 has 'cat"):
        spans(tmp_path, xml('<image id="0" name="cat.jpg"><tag label="run"/></image>'))


def test_a_frame_of_a_thinned_task_stands_for_several(tmp_path: Path) -> None:
    task = "<frame_filter>step=5</frame_filter>"
    text = xml(track((0, 0), (5, 0)) + '<tag label="run" frame="5"/>', task=task)
    assert spans(tmp_path, text) == [("a.mp4", "jump", 0.0, 1.0), ("a.mp4", "run", 0.5, 1.0)]


def test_the_video_is_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "away/a.mp4")
    path = write(tmp_path, "b.xml", xml(track((0, 0))))
    clips = cvat.read(path, ReadOptions(fps=25, root=tmp_path / "away"))
    assert rows(clips, tmp_path)[0][0] == "away/a.mp4"
    assert clips.notes == ("b.xml: frame numbers are read with fps=25.",)


def test_the_rate_must_be_given(tmp_path: Path) -> None:
    path = write(tmp_path, "a.xml", xml(track((0, 0))))
    with pytest.raises(ManifestError, match=r"a\.xml counts frames and does not say .* fps=25"):
        cvat.read(path, ReadOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xml(""), r"a\.xml has no visible tracks and no tags\. Tags are only in the export"),
        (xml(track((3, 0)), source=""), r"has no <source> in its <meta> to name the video"),
        ("<annotations/>", r"has no <source>"),
        (
            xml(track((3, 0)), source="<source>a.mp4</source><source>b.mp4</source>"),
            r"is of 2 videos: 'a\.mp4', 'b\.mp4'\. Its frames count .* export each task by itself",
        ),
        (xml(track((3, 0), label="")), r"a\.xml, track 1: the name of a class is empty"),
        (xml(track((3, 0), label="a|b")), r"track 1: the class 'a\|b' has a bar"),
        (xml(track((3, 0), (3, 1))), r"each once, .*; track 1 has <box frame='3' outside='1'>"),
        (xml(track((-3, 0))), r"track 1 has <box frame='-3' outside='0'>"),
        (xml(track((3, 2))), r"track 1 has <box frame='3' outside='2'>"),
        (xml(track((10**12, 0))), r"a shape must have a frame from 0"),
        (xml('<tag label="run" frame="x"/>'), r"tag 1 has 'x'"),
        (xml('<tag label="" frame="1"/>'), r"a\.xml, tag 1: the name of a class is empty"),
        (xml("<track>"), r"a\.xml is not well-formed XML: mismatched tag: line \d"),
        ("<html/>", r"a\.xml is no export of CVAT: its root is 'html'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        spans(tmp_path, text)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "inner",
    [f'<!ENTITY l0 "ha">{LAUGHS}', '<!ENTITY l9 SYSTEM "file:///etc/passwd">', '<!ENTITY % l9 "">'],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-7", "latin-1", "utf-16"])
def test_entities_are_refused_before_parsing(tmp_path: Path, inner: str, encoding: str) -> None:
    text = xml(track((0, 0), label="&l9;")).replace("utf-8", encoding)
    path = write(tmp_path, "a.xml", text.replace("<annot", f"<!DOCTYPE x [{inner}]><annot", 1))
    assert cvat.accepts(path)
    with pytest.raises(ManifestError, match=r"a\.xml declares a document type or entities"):
        cvat.read(path, AT_10)


def test_a_document_type_in_another_encoding_is_refused(tmp_path: Path) -> None:
    text = xml(track((0, 0))).replace("<annot", "<!DOCTYPE x><annot", 1)
    path = write(tmp_path, "a.xml", text.encode("utf-16"))
    with pytest.raises(ManifestError, match=r"a\.xml is not UTF-8 text"):
        cvat.read(path, AT_10)


def test_deep_nesting_does_no_harm(tmp_path: Path) -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    assert spans(tmp_path, xml(deep + track((1, 0)))) == [("a.mp4", "jump", 0.1, 0.2)]


@pytest.mark.parametrize("text", ["<annotation/>", "<root><track/></root>", "", "[]"])
def test_other_files_are_not_accepted(tmp_path: Path, text: str) -> None:
    assert not cvat.accepts(write(tmp_path, "a.xml", text))
    assert not cvat.accepts(write(tmp_path, "a.txt", xml("")))
    assert not cvat.accepts(tmp_path / "nowhere.xml")


@given(shapes=st.dictionaries(st.integers(0, 60), st.booleans(), min_size=1))
def test_stretches_hold_exactly_the_visible_frames(shapes: dict[int, bool]) -> None:
    visible, frames = False, set()
    for frame in range(max(shapes) + 1):
        visible = shapes.get(frame, visible)
        frames |= {frame} if visible else set()
    stretches = list(cvat.visible_stretches(shapes, 1))
    assert {frame for first, stop in stretches for frame in range(first, stop)} == frames
    assert all(
        stop < first for (_, stop), (first, _) in zip(stretches, stretches[1:], strict=False)
    )
