"""Appearance of the demo's groups: colours, shapes and textures, drawn as images."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vidclass.types import FloatArray

WIDTH, HEIGHT = 320, 240
SPRITE = 240  # side in pixels at which an object is drawn before scaling
SHAKE = 8  # margin of the scenery in pixels, for the camera to move in

Colour = tuple[int, int, int]
Backdrop = Literal["plain", "stripes", "checks", "dots", "clouds"]
Shape = Literal["disc", "star", "flower", "polygon", "heart"]
Pattern = Literal["stripes", "wedges", "dots", "checks"]
Ground = Literal["hills", "peaks", "city", "sea"]
BACKDROPS: tuple[Backdrop, ...] = ("plain", "stripes", "checks", "dots", "clouds")
SHAPES: tuple[Shape, ...] = ("disc", "star", "flower", "polygon", "heart")
PATTERNS: tuple[Pattern, ...] = ("stripes", "wedges", "dots", "checks")
GROUNDS: tuple[Ground, ...] = ("hills", "peaks", "city", "sea")


@dataclass(frozen=True)
class Look:
    """Appearance that all films of one group share.

    Attributes:
        seed: Seed of further random details.
        hue: Hue of the scenery, 0 to 1.
        object_hue: Hue of the object, 0 to 1.
        backdrop: Texture behind the object.
        shape: Outline of the object.
        pattern: Texture of the object.
        ground: Outline of the land.
        horizon: Height of the horizon from the top, as a share of the frame.
        points: Number of points of a star, petals of a flower, corners of a polygon.
        tile: Size of texture tiles in pixels.
        shake: Amplitude of camera motion, 0 to 1.
        grain: Standard deviation of film grain in levels.
        pace: Factor on the speed of spinning.
    """

    seed: int
    hue: float
    object_hue: float
    backdrop: Backdrop
    shape: Shape
    pattern: Pattern
    ground: Ground
    horizon: float
    points: int
    tile: int
    shake: float
    grain: float
    pace: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """Return a random look."""
        hue = rng.random()
        return cls(
            seed=int(rng.integers(2**31)),
            hue=hue,
            object_hue=(hue + rng.uniform(0.25, 0.75)) % 1,
            backdrop=BACKDROPS[rng.integers(len(BACKDROPS))],
            shape=SHAPES[rng.integers(len(SHAPES))],
            pattern=PATTERNS[rng.integers(len(PATTERNS))],
            ground=GROUNDS[rng.integers(len(GROUNDS))],
            horizon=rng.uniform(0.6, 0.8),
            points=int(rng.integers(5, 9)),
            tile=int(rng.integers(18, 48)),
            shake=rng.uniform(0, 1),
            grain=rng.uniform(0, 3),
            pace=rng.uniform(0.8, 1.25),
        )


def colour(hue: float, saturation: float, value: float) -> Colour:
    """Return an RGB colour from HSV numbers between 0 and 1; the hue wraps round."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def scenery(look: Look) -> Image.Image:
    """Return a shaded, textured wall with a margin for the camera, as the background."""
    rng = np.random.default_rng(look.seed)
    size = (WIDTH + 2 * SHAKE, HEIGHT + 2 * SHAKE)
    value = rng.uniform(0.5, 0.95)
    upper, lower = colour(look.hue, 0.35, value), colour(look.hue + 0.08, 0.55, 0.6 * value)
    wall = _gradient(size, upper, lower)
    mark = Image.new("RGB", size, colour(look.hue + rng.uniform(-0.15, 0.15), 0.5, 0.8 * value))
    mask = _backdrop_mask(look, rng, size).point(lambda level: 2 * level // 3)
    wall.paste(mark, (0, 0), mask)
    return wall


def sprite(look: Look) -> Image.Image:
    """Return the object of the group, RGBA, patterned and with a darker rim."""
    rng = np.random.default_rng(look.seed + 1)
    outline = _outline(look, rng)
    body = Image.new("RGB", (SPRITE, SPRITE), colour(look.object_hue, 0.75, 0.95))
    trim = Image.new("RGB", body.size, colour(look.object_hue + rng.uniform(-0.2, 0.2), 0.6, 0.55))
    body.paste(trim, (0, 0), _pattern_mask(look))
    inner = outline.filter(ImageFilter.MinFilter(7))
    rim = Image.new("RGB", body.size, colour(look.object_hue, 0.8, 0.3))
    rim.paste(body, (0, 0), inner)
    rim.putalpha(outline)
    return rim


def skies(look: Look, horizon: int) -> list[Image.Image]:
    """Return the sky above `horizon` by night, at dawn and by day."""
    rng = np.random.default_rng(look.seed + 2)
    size = (WIDTH + 2 * SHAKE, HEIGHT + 2 * SHAKE)
    blue = 0.6 + rng.uniform(-0.08, 0.08)
    dawn = rng.uniform(-0.08, 0.1)
    night = _gradient(size, colour(blue, 0.8, 0.08), colour(blue, 0.7, 0.2))
    draw = ImageDraw.Draw(night)
    for x, y in rng.random((int(rng.integers(20, 90)), 2)) * (size[0], horizon):
        draw.point((x, y), fill=(230, 230, 210))
    morning = _gradient(size, colour(blue + 0.1, 0.5, 0.45), colour(dawn, 0.75, 0.95))
    noon = _gradient(size, colour(blue, 0.55, 0.9), colour(blue - 0.05, 0.15, 1.0))
    clouds = _clouds(rng, size, cover=rng.uniform(0.1, 0.5))
    morning.paste(Image.new("RGB", size, colour(dawn, 0.45, 0.8)), (0, 0), clouds)
    noon.paste(Image.new("RGB", size, (250, 250, 252)), (0, 0), clouds)
    return [night, morning, noon]


def ground(look: Look, horizon: int) -> Image.Image:
    """Return a mask of the land below `horizon`: 255 where it hides the sky."""
    rng = np.random.default_rng(look.seed + 3)
    width, height = WIDTH + 2 * SHAKE, HEIGHT + 2 * SHAKE
    x = np.arange(width)
    if look.ground == "hills":
        waves = [np.sin(x / rng.uniform(20, 70) + rng.uniform(0, 7)) for _ in range(3)]
        top = horizon + 8 * np.sum(waves, axis=0)
    elif look.ground == "peaks":
        knots = np.arange(0, width + 40, 40)
        top = np.interp(x, knots, horizon + rng.uniform(-30, 25, size=len(knots)))
    elif look.ground == "city":
        step = int(rng.integers(14, 28))
        top = horizon + np.repeat(rng.uniform(-35, 15, size=width // step + 1), step)[:width]
    else:
        top = np.full(width, float(horizon))
    mask = np.arange(height)[:, None] >= top
    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))


def sun(look: Look) -> Image.Image:
    """Return the sun and its glow, RGBA."""
    rng = np.random.default_rng(look.seed + 4)
    side, radius = 160, rng.uniform(14, 26)
    across = np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]) * side / 2
    glow = 130 * np.clip(1 - (across - radius) / (side / 2 - radius), 0, 1) ** 2
    alpha = np.where(across < radius, 255, glow).astype(np.uint8)
    disc = Image.new("RGB", (side, side), colour(rng.uniform(0.07, 0.15), 0.35, 1.0))
    disc.putalpha(Image.fromarray(alpha))
    return disc


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    column = np.linspace(top, bottom, size[1]).astype(np.uint8)
    return Image.fromarray(column[:, None]).resize(size)


def _clouds(rng: np.random.Generator, size: tuple[int, int], *, cover: float) -> Image.Image:
    """Return a mask of soft blots, wider than high, over the share `cover` of the image."""
    total = np.zeros((size[1], size[0]), np.float64)
    for cells in (4, 8, 16):
        coarse = Image.fromarray(rng.random((cells, cells // 2 + 1)).astype(np.float32))
        total += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)) * 8 / cells
    edge = np.quantile(total, 1 - cover)
    return Image.fromarray((np.clip((total - edge) * 1.2, 0, 1) * 220).astype(np.uint8))


def _backdrop_mask(look: Look, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    if look.backdrop == "clouds":
        return _clouds(rng, size, cover=0.5)
    y, x = np.mgrid[: size[1], : size[0]]
    angle = rng.uniform(0, math.pi)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return _tiles(look.backdrop, u / look.tile, v / look.tile)


def _pattern_mask(look: Look) -> Image.Image:
    y, x = np.mgrid[-1 : 1 : SPRITE * 1j, -1 : 1 : SPRITE * 1j]
    if look.pattern == "wedges":
        angle = np.arctan2(y, x) / (2 * math.pi)
        return Image.fromarray(np.where((angle * look.points) % 1 < 0.5, 255, 0).astype(np.uint8))
    cells = 100 / look.tile
    return _tiles(look.pattern, x * cells, y * cells)


def _tiles(kind: str, u: FloatArray, v: FloatArray) -> Image.Image:
    """Return a regular mask in the coordinates u and v, counted in tiles."""
    if kind == "stripes":
        inside = u % 1 < 0.5
    elif kind == "checks":
        inside = (u % 1 < 0.5) ^ (v % 1 < 0.5)
    elif kind == "dots":
        inside = np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.3
    else:
        inside = np.zeros(u.shape, bool)
    return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))


def _outline(look: Look, rng: np.random.Generator) -> Image.Image:
    """Return the object's outline as a mask, drawn large and reduced for a smooth edge."""
    angle = np.linspace(0, 2 * math.pi, 361)
    if look.shape == "heart":
        x: FloatArray = 16 * np.sin(angle) ** 3 / 17
        y: FloatArray = np.cos(np.outer(angle, [1, 2, 3, 4])) @ np.array([-13, 5, 2, 1]) / 17
    else:
        radius = _radius(look, angle, depth=rng.uniform(0.25, 0.45))
        x, y = radius * np.sin(angle), -radius * np.cos(angle)
    large = Image.new("L", (2 * SPRITE, 2 * SPRITE))
    points = np.stack([x, y], axis=1) * 0.98 * SPRITE + SPRITE
    ImageDraw.Draw(large).polygon([(px, py) for px, py in points.tolist()], fill=255)
    return large.reduce(2)


def _radius(look: Look, angle: FloatArray, *, depth: float) -> FloatArray:
    """Return the distance of the outline from the centre, at most 1, in each direction."""
    part = (angle * look.points / (2 * math.pi)) % 1
    if look.shape == "star":
        return np.asarray(1 - depth * (1 - np.abs(2 * part - 1)) * 1.3)
    if look.shape == "flower":
        return np.asarray(1 - depth * (0.5 + 0.5 * np.cos(angle * look.points)))
    if look.shape == "polygon":
        half = math.pi / look.points
        return np.asarray(math.cos(half) / np.cos((2 * part - 1) * half))
    return np.ones_like(angle)
