"""CVAT annotations of one video ("CVAT for video 1.1"): tracks of shapes become spans.

```
<annotations><version>1.1</version>
  <meta><task><frame_filter></frame_filter><source>clip.mp4</source></task></meta>
  <track id="0" label="jump">
    <box frame="10" keyframe="1" outside="0" .../>
    <box frame="25" keyframe="1" outside="1" .../>
  </track>
</annotations>
```

A track is visible from a shape with `outside="0"` until the next with `outside="1"`, in the frames
between key frames too; each such stretch of frames is one span [first / fps, (last + 1) / fps).
Frames count from 0 in the video, also when the task shows only every n-th (`frame_filter`): then
a frame stands for n of them.  Tags are taken where they are: CVAT writes them only into its format
"CVAT for images 1.1", whose `<image name="frame_000010">` is read for them; tags of frames that
follow one another are one span.  The export has no frame rate: `fps` gives it.

CVAT documents this under "XML annotation format".  The export of a project with several videos
counts frames through all of them and is rejected.  Document types and entities are rejected before
anything is parsed, for they can make a small file huge or name other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree  # noqa: S405  (see _parsed)

from vidclass._core.text import counted, listed, quoted
from vidclass.data.readers.locate import (
    ClipRow,
    VideoLocator,
    class_name,
    required_fps,
    rows_from_clips,
)
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import read_head, read_text, require_valid, short_repr
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

_ROOT = re.compile(r"<annotations[\s>/]")
_FRAME = re.compile(r"[0-9]{1,9}")
_IMAGE = re.compile(r"(?:.*/)?frame_([0-9]{1,9})(?:\.\w+)?")
_STEP = re.compile(r"step=([1-9][0-9]{0,5})")

Stretch = tuple[str, int, int]  # label, first frame, frame after the last


def accepts(path: Path) -> bool:
    """Return whether this is an XML file with the root element of CVAT."""
    return path.suffix.lower() == ".xml" and _ROOT.search(read_head(path)) is not None


def read(path: Path, options: ReadOptions) -> Rows:
    """Read a span per visible stretch of each track, and per run of tagged frames.

    Raises:
        ManifestError: this is no XML as CVAT writes it, has no annotations or several videos, or
            no frame rate is given.
    """
    root = _parsed(path)
    video = _video_name(path, root)
    step = _step(root)
    stretches = [*_tracked(path, root, step), *_tagged(path, root, step)]
    if not stretches:
        raise ManifestError(
            f"{path.name} has no visible tracks and no tags. Tags are only in the export "
            "'CVAT for images 1.1'."
        )
    fps = required_fps(options, f"{path.name} counts frames and does not say how fast they follow")
    locator = VideoLocator.beside(path, options)
    clips = [
        ClipRow(locator.locate(video, label=label), label, None, first / fps, stop / fps)
        for label, first, stop in stretches
    ]
    return rows_from_clips(clips, [f"{path.name}: frame numbers are read with fps={fps:g}."])


def _parsed(path: Path) -> ElementTree.Element:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ManifestError(
            f"{path.name} declares a document type or entities, which CVAT never does and which "
            "are not read for safety. Export it from CVAT again."
        )
    try:
        # Text, not bytes: no encoding that the file declares can hide a document type from above.
        root = ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        raise ManifestError(f"{path.name} is not well-formed XML: {error}.") from error
    if root.tag != "annotations":
        raise ManifestError(
            f"{path.name} is no export of CVAT: its root is {short_repr(root.tag)}, "
            "not 'annotations'."
        )
    return root


def _video_name(path: Path, root: ElementTree.Element) -> str:
    meta = root.find("meta")
    texts = [] if meta is None else [(source.text or "").strip() for source in meta.iter("source")]
    sources = list(dict.fromkeys(text for text in texts if text))
    if not sources:
        raise ManifestError(f"{path.name} has no <source> in its <meta> to name the video.")
    if len(sources) > 1:
        raise ManifestError(
            f"{path.name} is of {counted(len(sources), 'video')}: {listed(quoted(sources))}. Its "
            "frames count through all of them: export each task by itself."
        )
    return sources[0]


def _step(root: ElementTree.Element) -> int:
    match = _STEP.search(root.findtext(".//frame_filter") or "")
    return int(match[1]) if match else 1


def _tracked(path: Path, root: ElementTree.Element, step: int) -> Iterator[Stretch]:
    invalid: list[str] = []
    for number, track in enumerate(root.iter("track"), start=1):
        label = class_name(track.get("label", ""), f"{path.name}, track {number}")
        shapes: dict[int, bool] = {}
        for shape in track:
            frame, outside = shape.get("frame", ""), shape.get("outside", "0")
            if not _FRAME.fullmatch(frame) or outside not in ("0", "1") or int(frame) in shapes:
                values = f"frame={short_repr(frame)} outside={short_repr(outside)}"
                invalid.append(f"track {number} has <{short_repr(shape.tag)[1:-1]} {values}>")
            else:
                shapes[int(frame)] = outside == "0"
        yield from ((label, first, stop) for first, stop in visible_stretches(shapes, step))
    require_valid(path, "a shape must have a frame from 0, each once, and outside 0 or 1", invalid)


def visible_stretches(shapes: dict[int, bool], step: int) -> Iterator[tuple[int, int]]:
    """Yield first frame and frame after the last of each stretch in which a track is visible."""
    first: int | None = None
    for frame, visible in sorted(shapes.items()):
        if visible and first is None:
            first = frame
        elif not visible and first is not None:
            yield first, frame
            first = None
    if first is not None:
        yield first, max(shapes) + step


def _tagged(path: Path, root: ElementTree.Element, step: int) -> Iterator[Stretch]:
    frames: dict[str, set[int]] = {}
    invalid: list[str] = []
    for number, (frame, label) in enumerate(_tags(root), start=1):
        name = class_name(label, f"{path.name}, tag {number}")
        if _FRAME.fullmatch(frame):
            frames.setdefault(name, set()).add(int(frame))
        else:
            invalid.append(f"tag {number} has {short_repr(frame)}")
    require_valid(path, "a tag must have the number of a frame of the video", invalid)
    for name, numbers in frames.items():
        yield from ((name, first, stop) for first, stop in _runs(sorted(numbers), step))


def _tags(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Yield frame and label of each tag, as text."""
    for tag in root.findall("tag"):
        yield tag.get("frame", ""), tag.get("label", "")
    for image in root.findall("image"):
        match = _IMAGE.fullmatch(image.get("name", ""))
        for tag in image.findall("tag"):
            yield match[1] if match else image.get("name", ""), tag.get("label", "")


def _runs(frames: Iterable[int], step: int) -> Iterator[tuple[int, int]]:
    """Yield first frame and frame after the last of each run of frames `step` apart."""
    first = last = -1
    for frame in frames:
        if first >= 0 and frame > last + step:
            yield first, last + step
            first = frame
        elif first < 0:
            first = frame
        last = frame
    if first >= 0:
        yield first, last + step


READER = Reader("cvat", "an export of CVAT (video 1.1)", accepts, read, TABLE_OPTIONS)
