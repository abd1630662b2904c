"""The contract test of backbones passes for sound families, and names a broken rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from own_families import ChannelsLast, Forgetful
from vidclass.backbones import register_backbone_family, unregister_backbone_family
from vidclass.errors import ConfigError
from vidclass.testing import check_backbone


@pytest.fixture(autouse=True)
def families() -> Iterator[None]:
    for family in (ChannelsLast, Forgetful):
        register_backbone_family(family)
    yield
    for family in (ChannelsLast, Forgetful):
        unregister_backbone_family(family)


@pytest.mark.slow
def test_a_network_that_cannot_have_its_channels_first_is_exported_as_it_is() -> None:
    check_backbone("always_channels_last")


def test_weights_must_be_identified_the_same_each_time() -> None:
    with pytest.raises(AssertionError, match="forgetful: weights_id changes from call to call"):
        check_backbone("forgetful")


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match="backbone='forgetfull' is not one of"):
        check_backbone("forgetfull")
