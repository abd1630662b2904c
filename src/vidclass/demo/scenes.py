"""Little films drawn by rule: what the demo's clips show.

A film is a list of (240,320,3) uint8 frames.  All of them are made at 25 frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vidclass.demo.looks import (
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
    """An object grows from a speck until it nearly fills the picture."""
    smallest, largest = rng.uniform(14, 36), rng.uniform(220, 320)
    sizes = (smallest * (largest / smallest) ** _ramp(rng, count)).round().astype(int).tolist()
    tilted = sprite(look).rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    scaled = {size: _scaled(tilted, size) for size in set(sizes)}
    return _filmed(look, rng, _placed(look, rng, [scaled[size] for size in sizes]))


def sunrise(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """The sun comes up behind the land, and night turns into day."""
    horizon = round(HEIGHT * look.horizon) + SHAKE
    night, dawn, day = skies(look, horizon)
    land, disc = ground(look, horizon), sun(look)
    dark, lit = (Image.new("RGB", land.size, colour(look.hue, 0.5, v)) for v in (0.04, 0.5))
    x, top = WIDTH * rng.uniform(0.25, 0.75), HEIGHT * rng.uniform(0.15, 0.3)
    pictures = []
    for height in _ramp(rng, count).tolist():
        if height < 0.5:
            picture = Image.blend(night, dawn, 2 * height)
        else:
            picture = Image.blend(dawn, day, 2 * height - 1)
        y = horizon + 30 + (top - horizon - 30) * height
        corner = (round(x - disc.width / 2), round(y - disc.height / 2))
        picture.paste(disc, corner, disc)
        picture.paste(Image.blend(dark, lit, height), (0, 0), land)
        pictures.append(picture)
    return _filmed(look, rng, pictures)


def spinning(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """An object turns about its middle, in either sense."""
    still = _scaled(sprite(look), rng.uniform(110, 190))
    start, turn = rng.uniform(0, 360), rng.uniform(4, 9) * look.pace * rng.choice([-1, 1])
    turned = [still.rotate(start + turn * i, Image.Resampling.BILINEAR) for i in range(count)]
    return _filmed(look, rng, _placed(look, rng, turned))


def blinking(look: Look, rng: np.random.Generator, count: int) -> list[UInt8Array]:
    """An object comes and goes all at once, again and again."""
    still = _scaled(sprite(look), rng.uniform(110, 190))
    tilted = still.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    period = rng.uniform(12, 26) / look.pace
    phase = rng.uniform(0, period)
    shown = [tilted if (i + phase) % period < period / 2 else None for i in range(count)]
    return _filmed(look, rng, _placed(look, rng, shown))


def _ramp(rng: np.random.Generator, count: int) -> FloatArray:
    """From 0 to 1 over `count` frames, with a wait before, a wait after and a bend between."""
    before, after = rng.uniform(0, 0.15, size=2)
    time = (np.linspace(0, 1, count) - before) / (1 - before - after)
    time = np.clip(time, 0, 1) ** rng.uniform(0.7, 1.4)
    return np.asarray(time * time * (3 - 2 * time))


def _camera(look: Look, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Where the picture's top left corner lies in the scenery: a hand that is not quite still."""
    times = np.arange(count)[:, None] / FPS
    waves = rng.uniform(0.3, 2.0, size=2) * times + rng.random(2)
    path = SHAKE * (1 + look.shake * np.sin(2 * math.pi * waves))
    return [(round(dx), round(dy)) for dx, dy in path]


def _filmed(look: Look, rng: np.random.Generator, pictures: list[Image.Image]) -> list[UInt8Array]:
    """Each picture as the camera sees it, cut to the size of a frame."""
    return [
        np.asarray(picture.crop((dx, dy, dx + WIDTH, dy + HEIGHT)))
        for picture, (dx, dy) in zip(pictures, _camera(look, rng, len(pictures)), strict=True)
    ]


def _placed(
    look: Look, rng: np.random.Generator, sprites: Sequence[Image.Image | None]
) -> list[Image.Image]:
    """Each sprite near the middle of the group's scenery, or the scenery alone for None."""
    behind = scenery(look)
    x, y = behind.width * rng.uniform(0.4, 0.6), behind.height * rng.uniform(0.4, 0.6)
    pictures = []
    for shape in sprites:
        picture = behind.copy()
        if shape is not None:
            corner = (round(x - shape.width / 2), round(y - shape.height / 2))
            picture.paste(shape, corner, shape)
        pictures.append(picture)
    return pictures


def _scaled(shape: Image.Image, size: float) -> Image.Image:
    side = max(2, round(size))
    return shape.resize((side, side), Image.Resampling.BILINEAR)
