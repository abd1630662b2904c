from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.demo.appearance import (
    BACKDROPS,
    GROUNDS,
    PATTERNS,
    SHAPES,
    Look,
    ground,
    scenery,
    skies,
    sprite,
)

LOOK = Look.drawn(np.random.default_rng(0))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_a_look_depends_on_its_seed_only(seed: int) -> None:
    one, two = (Look.drawn(np.random.default_rng(seed)) for _ in range(2))
    assert one == two
    assert one != Look.drawn(np.random.default_rng(seed + 1))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_object_is_complete_and_its_rotation_visible(shape: str, pattern: str) -> None:
    image = sprite(replace(LOOK, shape=shape, pattern=pattern))
    alpha = np.asarray(image)[..., 3]
    assert 0.2 < (alpha > 0).mean() < 0.9
    assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
    turned = np.asarray(image.rotate(20)).astype(int)
    assert np.abs(turned - np.asarray(image)).mean() > 3


@pytest.mark.parametrize("backdrop", BACKDROPS)
def test_every_backdrop_has_the_margin_for_the_camera(backdrop: str) -> None:
    image = scenery(replace(LOOK, backdrop=backdrop))
    assert (image.size, image.mode) == ((336, 256), "RGB")


@pytest.mark.parametrize("kind", GROUNDS)
def test_every_land_has_sky_above_and_ground_below(kind: str) -> None:
    mask = np.asarray(ground(replace(LOOK, ground=kind), 160))
    assert set(np.unique(mask)) == {0, 255}
    assert not mask[:90].any() and mask[210:].all()


def test_the_sky_brightens_from_night_to_day() -> None:
    light = [np.asarray(sky).mean() for sky in skies(LOOK, 160)]
    assert light[0] < light[1] < light[2]
