"""Scenes of the demo: short films of one motion each.

Each function draws `count` frames of one motion in the look of one group, with random details from
`rng`.  A film is a list of (240,320,3) uint8 RGB frames, 25 per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from vidclass.demo.appearance import (
    HEIGHT,
    SHAKE,
    WIDTH,
    Look,
    colour,
    ground,
    scenery,
    skies,
    sprite,
    sun,
)
from vidclass.types import FloatArray, UInt8Array

FPS = 25


def growing(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """Draw an object that grows from a speck until it fills the height of the frame or more."""
    smallest, largest = rng.uniform(12, 28), rng.uniform(240, 330)
    sizes = (smallest * (largest / smallest) ** _ramp(rng, count)).round().astype(int).tolist()
    tilted = sprite(look).rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    scaled = {size: _scaled(tilted, size) for size in set(sizes)}
    return _crop_frames(
        look, rng, count, _paste_sprites(look, rng, (scaled[size] for size in sizes))
    )


def sunrise(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """Draw the sun rising behind the land while night turns into day."""
    horizon = round(HEIGHT * look.horizon) + SHAKE
    night, dawn, day = skies(look, horizon)
    land, disc = ground(look, horizon), sun(look)
    dark, lit = (Image.new("RGB", land.size, colour(look.hue, 0.5, v)) for v in (0.04, 0.5))
    x, top = WIDTH * rng.uniform(0.25, 0.75), HEIGHT * rng.uniform(0.15, 0.3)
    start = horizon + 30
    ramp = _ramp(rng, count).tolist()

    def image(height: float) -> Image.Image:
        early = height < 0.5
        sky = (
            Image.blend(night, dawn, 2 * height)
            if early
            else Image.blend(dawn, day, 2 * height - 1)
        )
        _paste(sky, disc, x, start + (top - start) * height)
        sky.paste(Image.blend(dark, lit, height), (0, 0), land)
        return sky

    return _crop_frames(look, rng, count, map(image, ramp))


def spinning(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """Draw an object that rotates about its centre, in either direction."""
    still = _scaled(sprite(look), rng.uniform(110, 190))
    start, turn = rng.uniform(0, 360), rng.uniform(4, 9) * look.pace * rng.choice([-1, 1])
    turned = (still.rotate(start + turn * i, Image.Resampling.BILINEAR) for i in range(count))
    return _crop_frames(look, rng, count, _paste_sprites(look, rng, turned))


def blinking(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """Draw an object that appears and disappears again and again."""
    still = _scaled(sprite(look), rng.uniform(110, 190))
    tilted = still.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    period = count / rng.uniform(3, 7)  # too often to look like growing or shrinking
    phase = rng.uniform(0, period)
    shown = (tilted if (i + phase) % period < period / 2 else None for i in range(count))
    return _crop_frames(look, rng, count, _paste_sprites(look, rng, shown))


def _ramp(rng: np.random.Generator, count: int) -> FloatArray:
    """Return values (count,) from 0 to 1, with random pauses at both ends and a random curve."""
    before, after = rng.uniform(0, 0.15, size=2)
    time = (np.linspace(0, 1, count) - before) / (1 - before - after)
    time = np.clip(time, 0, 1) ** rng.uniform(0.7, 1.4)
    return np.asarray(time * time * (3 - 2 * time))


def _camera(look: Look, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return the top left corner of each frame in the scenery, as from a hand-held camera."""
    times = np.arange(count)[:, None] / FPS
    waves = rng.uniform(0.3, 2.0, size=2) * times + rng.random(2)
    path = SHAKE * (1 + look.shake * np.sin(2 * math.pi * waves))
    return [(round(dx), round(dy)) for dx, dy in path]


def _crop_frames(
    look: Look, rng: np.random.Generator, count: int, images: Iterable[Image.Image]
) -> list[UInt8Array]:
    """Crop each of `count` images to the frame of a moving camera."""
    return [
        np.asarray(image.crop((dx, dy, dx + WIDTH, dy + HEIGHT)))
        for (dx, dy), image in zip(_camera(look, rng, count), images, strict=True)
    ]


def _paste_sprites(
    look: Look, rng: np.random.Generator, sprites: Iterable[Image.Image | None]
) -> Iterator[Image.Image]:
    """Yield each sprite near the centre of the group's scenery; None gives the scenery alone."""
    behind = scenery(look)
    x, y = behind.width * rng.uniform(0.4, 0.6), behind.height * rng.uniform(0.4, 0.6)
    for shape in sprites:
        image = behind.copy()
        if shape is not None:
            _paste(image, shape, x, y)
        yield image


def _paste(image: Image.Image, shape: Image.Image, x: float, y: float) -> None:
    """Paste `shape` with its centre at (x, y)."""
    image.paste(shape, (round(x - shape.width / 2), round(y - shape.height / 2)), shape)


def _scaled(shape: Image.Image, size: float) -> Image.Image:
    side = round(size)
    return shape.resize((side, side), Image.Resampling.BILINEAR)
