"""Image sequences are recognized by the names of their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vidclass.data.media_files import IMAGE_EXTENSIONS, is_image_sequence
from vidclass.video.image_sequence import CODECS

Write = Callable[..., Path]


def test_image_extensions_are_those_that_can_be_decoded() -> None:
    assert set(CODECS) == IMAGE_EXTENSIONS


def test_image_sequences_are_recognized(write: Write, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(f"good/img_{number:05}.jpg")
        write(f"plain/{number}.PNG")
        write(f"names/img_{number}_left.jpg")
        write(f"words/img_{'abc'[number - 1]}.jpg")
        write(f"mixed/a{number}.jpg")
        write(f"mixed/b{number}.jpg")
    write("good/.hidden")
    write("good/Thumbs.db")
    write("deeper/img_1.jpg")
    write("deeper/more/img_1.jpg")
    (tmp_path / "empty").mkdir()
    assert is_image_sequence(tmp_path / "good")
    assert is_image_sequence(tmp_path / "plain")
    assert is_image_sequence(tmp_path / "names")
    for name in ("words", "mixed", "deeper", "empty", "missing", "good/.hidden"):
        assert not is_image_sequence(tmp_path / name), name
