"""Settings: frozen, strict about names, and wrong ones are named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from vidclass.config import (
    FeatureConfig,
    FinetuneConfig,
    FrozenConfig,
    GeometryConfig,
    RunConfig,
    SamplingConfig,
    SplitConfig,
    TrainingConfig,
    parse_swap_labels,
)
from vidclass.errors import ConfigError

ALL = (
    SamplingConfig,
    GeometryConfig,
    FeatureConfig,
    TrainingConfig,
    SplitConfig,
    RunConfig,
    FinetuneConfig,
)


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_has_a_default_and_survives_json(kind: type[FrozenConfig]) -> None:
    config = kind.checked()
    assert kind.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("kind", ALL)
def test_an_unknown_key_is_an_error(kind: type[FrozenConfig]) -> None:
    with pytest.raises(ConfigError, match=r"^frame=3: Extra inputs are not permitted$"):
        kind.checked(frame=3)


@pytest.mark.parametrize("kind", ALL)
def test_settings_are_frozen(kind: type[FrozenConfig]) -> None:
    config = kind.checked()
    name = next(iter(kind.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, name, getattr(config, name))


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (SamplingConfig, {"frames": 0}, r"frames=0: .*greater than or equal to 1"),
        (SamplingConfig, {"frames": 4097}, r"frames=4097: .*less than or equal to 4096"),
        (
            SamplingConfig,
            {"policy": "unifrom"},
            r"policy='unifrom': .*'first', 'stride' or 'ran",
        ),
        (SamplingConfig, {"views": 0}, r"views=0: .*greater than or equal to 1"),
        (
            SamplingConfig,
            {"frames": 100, "views": 41},
            r"`frames` \* `views` is 4100, more than",
        ),
        (
            SamplingConfig,
            {"policy": "first", "views": 2},
            r"`views` is used only by policy='uniform' and policy='random'",
        ),
        (SamplingConfig, {"seed": 7}, r"`seed` is used only by policy='random'"),
        (SamplingConfig, {"policy": "stride", "stride_s": 0}, r"stride_s=0: .*greater than 0"),
        (GeometryConfig, {"size": 4}, r"size=4: .*greater than or equal to 8"),
        (GeometryConfig, {"short_side": 200}, "short_side=200 is less than size=224"),
        (
            GeometryConfig,
            {"short_side": 256, "crop": "whole"},
            "short_side=256 is used only by crop='centre'",
        ),
        (GeometryConfig, {"crop": "center"}, r"crop='center': .*'centre' or 'whole'"),
        (TrainingConfig, {"epochs": 0}, r"epochs=0: .*greater than or equal to 1"),
        (TrainingConfig, {"patience": 0}, r"patience=0: .*greater than or equal to 1"),
        (SplitConfig, {"test_fraction": 1}, r"test_fraction=1: .*less than 1"),
        (RunConfig, {"training": {"seed": -1}}, r"training.seed=-1: .*greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named(
    kind: type[FrozenConfig], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind.checked(**values)


def test_all_wrong_values_are_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^policy='x': [^\n]*; frames=0: [^\n]*$"):
        SamplingConfig.checked(policy="x", frames=0)


@pytest.mark.parametrize("policy", ["uniform", "first"])
def test_a_stride_that_would_be_ignored_is_an_error(policy: str) -> None:
    message = r"^`stride_s` is used only by policy='stride'"
    with pytest.raises(ConfigError, match=message):
        SamplingConfig.checked(policy=policy, stride_s=0.5)


def test_a_stride_is_used_by_its_policy() -> None:
    assert SamplingConfig.checked(policy="stride", stride_s=0.5).stride_s == 0.5


def test_the_default_stride_may_be_repeated() -> None:
    assert SamplingConfig.checked(policy="first", stride_s=0.2).policy == "first"


def test_something_that_is_no_settings_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sampling=3: "):
        FeatureConfig.checked(sampling=3)


def test_the_views_of_a_sample_count_as_frames() -> None:
    assert SamplingConfig(policy="random", views=3, seed=5).total_frames == 60


@pytest.mark.parametrize(
    ("given", "read"), [("all", "all"), ("4", 4), (4, 4), ("0.3", 0.3), (0.3, 0.3)]
)
def test_what_to_unfreeze_is_a_number_of_blocks_a_share_or_all(given: object, read: object) -> None:
    found = FinetuneConfig.checked(unfreeze=given).unfreeze
    assert (found, type(found)) == (read, type(read))
    again = FinetuneConfig.model_validate_json(FinetuneConfig(unfreeze=found).model_dump_json())
    assert again.unfreeze == found


@pytest.mark.parametrize("given", ["some", "0", 0, -1, 1.5, "1.0", 0.0, True, None])
def test_other_things_to_unfreeze_are_refused(given: object) -> None:
    with pytest.raises(ConfigError, match=r"unfreeze=.*: give 'all'"):
        FinetuneConfig.checked(unfreeze=given)


@pytest.mark.parametrize("kind", [RunConfig, FinetuneConfig])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"swap_labels": {"left": "right"}}, "swap_labels={'left': 'right'} is used only with"),
        ({"flip": True, "swap_labels": {"left": "left"}}, r"\['left'\] more than once: give each"),
        ({"flip": True, "swap_labels": {"left": "up", "right": "up"}}, r"\['up'\] more than once"),
        ({"flip": True, "swap_labels": {"a": "b", "b": "a"}}, r"\['a', 'b'\] more than once"),
    ],
)
def test_labels_are_swapped_only_by_a_mirror_and_once_each(
    kind: type[FrozenConfig], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind.checked(**values)


def test_pairs_of_labels_are_parsed_without_their_blanks() -> None:
    assert parse_swap_labels(["a=b", " c d = e "]) == {"a": "b", "c d": "e"}
    assert parse_swap_labels([]) == {}


@pytest.mark.parametrize("text", ["", "a", "a=", " = b"])
def test_a_text_that_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"swap_labels={text!r}: write two labels, as in left="):
        parse_swap_labels([text])


def test_a_label_in_two_pairs_is_refused() -> None:
    with pytest.raises(ConfigError, match="swap_labels='a=c': 'a' is in another pair, too"):
        parse_swap_labels(["a=b", "a=c"])
