"""Draw predictions on frames, and write frames as an animated GIF."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidclass._core.files import replacing
from vidclass.errors import ConfigError, ShapeError
from vidclass.types import UInt8Array

MIN_WIDTH = 200  # pixels; narrower frames are enlarged, else no label can be read
PALETTE_FRAMES = 12  # frames that the palette of a GIF is chosen from
DITHER = 10  # of 255: amplitude of the dither pattern of a GIF

INK, DIM_INK = (255, 255, 255), (168, 178, 194)
PANEL, TRACK = (22, 27, 38), (38, 46, 62)
BAR, DIM_BAR = (38, 132, 255), (62, 78, 108)
PROGRESS = (255, 176, 32)


def annotate_frames(
    frames: UInt8Array, lines: Sequence[str], *, fractions: Sequence[float] = ()
) -> UInt8Array:
    """Draw `lines` on a panel below each frame, and a thin progress bar that shows the time.

    The first line is the title and stands out.  Line i becomes a bar filled to `fractions[i]`
    (0 to 1) with the percentage at its end; lines beyond `fractions` are plain text.  A line
    that is too long is cut with an ellipsis; accents are dropped, and a character that the font
    lacks becomes a box.

    Args:
        frames: (T,H,W,3) uint8 RGB.  Frames narrower than 200 pixels are enlarged.
        lines: The text, the decision first.
        fractions: One number per line, usually the probability.

    Returns:
        (T,H',W',3) uint8 RGB with H' > H and W' >= W.

    Raises:
        ShapeError: `frames` is not (T,H,W,3) uint8 with T, H and W above zero.
        ConfigError: there are more fractions than lines, or one is not between 0 and 1.
    """
    _require_frames(frames)
    if len(fractions) > len(lines):
        raise ConfigError(f"{len(fractions)} fractions for {len(lines)} lines: give one a line")
    for fraction in fractions:
        if not 0 <= fraction <= 1:
            raise ConfigError(f"fraction={fraction!r} is not between 0 and 1")
    scale = -(-MIN_WIDTH // frames.shape[2])
    if scale > 1:
        frames = frames.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width = frames.shape[:3]
    panel = np.asarray(_panel(width, lines, fractions))
    thickness = max(3, width // 100)
    drawn = np.empty((count, height + thickness + len(panel), width, 3), np.uint8)
    drawn[:, :height] = frames
    drawn[:, height : height + thickness] = TRACK
    for index, frame in enumerate(drawn):
        progress = round(width * (index + 1) / count)
        frame[height : height + thickness, :progress] = PROGRESS
    drawn[:, height + thickness :] = panel
    return drawn


def write_gif(path: Path, frames: UInt8Array, *, fps: float) -> None:
    """Write `frames`, (T,H,W,3) uint8 RGB, as a GIF that repeats for ever.

    All frames share one palette, chosen from frames spread over the clip.  A GIF counts in
    hundredths of a second, so the frame rate is rounded to what that allows, 50 at most.

    Raises:
        ShapeError: `frames` is not (T,H,W,3) uint8 with T, H and W above zero.
        ConfigError: `fps` is not above zero.
    """
    _require_frames(frames)
    if not fps > 0:
        raise ConfigError(f"fps={fps!r} must be above 0")
    palette = _common_palette(frames)
    pattern = _dither_pattern(*frames.shape[1:3])
    images = [
        Image.fromarray((frame + pattern).clip(0, 255).astype(np.uint8)).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        for frame in frames
    ]
    with replacing(path) as temp:
        images[0].save(
            temp,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=max(20, round(100 / fps) * 10),
            loop=0,
        )


def _require_frames(frames: UInt8Array) -> None:
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape or frames.dtype != np.uint8:
        raise ShapeError(
            "frames must be (T,H,W,3) uint8 with nothing empty, received: "
            f"{frames.shape} {frames.dtype}"
        )


def _common_palette(frames: UInt8Array) -> Image.Image:
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), PALETTE_FRAMES)).astype(int)
    mosaic = frames[chosen].reshape(-1, frames.shape[2], 3)
    return Image.fromarray(mosaic).quantize(255, method=Image.Quantize.MEDIANCUT)


def _dither_pattern(height: int, width: int) -> NDArray[np.int16]:
    """Return an ordered dither pattern to add to a frame; (H,W,1), mean about 0.

    The pattern is the same in all frames.  Pillow's own dithering follows the image: its dots
    shimmer from frame to frame, and the file is twice as large.
    """
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    tile = np.round(DITHER * (bayer / 16 - 15 / 32)).astype(np.int16)
    return np.tile(tile, (-(-height // 4), -(-width // 4)))[:height, :width, None]


def _panel(width: int, lines: Sequence[str], fractions: Sequence[float]) -> Image.Image:
    """Return the lines as an image `width` pixels wide, the same under every frame."""
    margin = max(6, width // 40)
    sizes = [max(15, width // 15) if i == 0 else max(12, width // 21) for i in range(len(lines))]
    heights = [round(size * 1.6) for size in sizes]
    gap = max(3, margin // 3)
    total = sum(heights) + gap * (len(lines) - 1) + 2 * margin if lines else 0
    panel = Image.new("RGB", (width, total), PANEL)
    draw = ImageDraw.Draw(panel)
    top = margin
    for index, line in enumerate(lines):
        fraction = fractions[index] if index < len(fractions) else None
        box = (margin, top, width - margin - 1, top + heights[index] - 1)
        _draw_line(draw, box, line, fraction, size=sizes[index], is_title=index == 0)
        top += heights[index] + gap
    return panel


def _draw_line(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    line: str,
    fraction: float | None,
    *,
    size: int,
    is_title: bool,
) -> None:
    left, top, right, bottom = box
    middle, pad, radius = (top + bottom) / 2, size // 2, size // 4
    ink = INK if is_title else DIM_INK
    font: Any = ImageFont.load_default(size=size)
    space = right - left - 2 * pad
    if fraction is None:
        pad, space = 0, right - left
    else:
        draw.rounded_rectangle(box, radius, fill=TRACK)
        end = left + round((right - left) * fraction)
        if end - left > 2 * radius:
            draw.rounded_rectangle(
                (left, top, end, bottom), radius, fill=BAR if is_title else DIM_BAR
            )
        percent = f"{100 * fraction:.0f} %"
        draw.text((right - pad, middle), percent, fill=ink, font=font, anchor="rm")
        space -= round(font.getlength(percent)) + pad
    draw.text((left + pad, middle), _fitted(line, font, space), fill=ink, font=font, anchor="lm")


def _fitted(line: str, font: Any, space: float) -> str:
    """Return `line` on one row and drawable, cut with an ellipsis to `space` pixels."""
    # Broken file names reach Python as lone surrogates, which no font engine accepts.
    clean = " ".join(line.encode("utf-8", "replace").decode().split())
    # The font has no accented letters: show the bare ones rather than boxes.
    clean = "".join(c for c in unicodedata.normalize("NFKD", clean) if not unicodedata.combining(c))
    if font.getlength(clean) <= space:
        return clean
    kept = bisect_right(
        range(len(clean)), space, key=lambda count: float(font.getlength(clean[:count] + "…"))
    )
    return clean[: max(0, kept - 1)].rstrip() + "…"
