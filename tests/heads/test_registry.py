from __future__ import annotations

import math
from pathlib import Path

import pytest

from vidclass.errors import ConfigError, WeightsError
from vidclass.heads.cost import multiplications, parameters
from vidclass.heads.registry import (
    build_head,
    head,
    head_name,
    heads,
    load_head,
    parse_head,
)
from vidclass.training.presets import DEFAULT_HEAD


def test_the_heads_are_these_and_each_has_training_settings() -> None:
    assert list(heads()) == [
        "mean",
        "mean_std",
        "temporal",
        "rolling_average",
        "prototype",
        "knn",
        "gru",
        "lstm",
        "bigru",
        "gru_attention",
        "attention",
        "transformer",
        "tcn",
    ]
    assert DEFAULT_HEAD in heads()


def test_the_example_s_head_has_its_number_of_parameters() -> None:
    model = build_head("gru", 20, 2048, 5)
    assert model.count_params() == 99_909
    assert sum(math.prod(weight.shape) for weight in model.trainable_variables) == 99_909


def test_an_unknown_head_is_named_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"head='gruu' is not one of \['attention', .*\]\. Did you mean 'gru'\?"
    ):
        build_head("gruu", 20, 8, 2)


def test_settings_stand_in_brackets() -> None:
    model = build_head("gru(units=32, second=4, dropout=0)", 20, 2048, 5)
    example = build_head("gru", 20, 2048, 5)
    assert model.name == example.name == "gru"
    assert model.count_params() > example.count_params()
    found, settings = parse_head(" tcn(depth=2) ")
    assert (found.name, settings) == ("tcn", {"depth": 2})
    assert found.settings == {"units": 64, "depth": 3, "kernel": 3, "dropout": 0.3}
    assert found.causal
    assert found.summary.startswith("Causal convolutions over time")
    assert head_name("tcn(depth=2)") == "tcn"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gru(unit=32)", r"setting of the head 'gru'='unit' is not one of .* mean 'units'\?"),
        ("gru(units=0)", r"units=0 must be a whole number from 1"),
        ("gru(units=1.5)", r"units=1\.5 must be a whole number from 1"),
        ("gru(units=True)", r"units=True must be a whole number from 1"),
        ("gru(dropout=-1)", r"dropout=-1 must be a number from 0"),
        ("gru(dropout='x')", r"dropout='x' must be a number from 0"),
        ("gru(32)", r"cannot be read: write settings as gru\(name=number, \.\.\.\)"),
        ("gru(units=", r"cannot be read: write settings as gru"),
        ("gru(units=open('x'))", r"cannot be read: write settings as gru"),
        ("gru(dropout=7)", r"head='gru\(dropout=7\)' cannot be built: "),
        ("transformer(heads=3)", r"cannot be built: .*units=128 cannot be divided"),
    ],
)
def test_wrong_settings_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_head(text, 4, 8, 2)


def test_the_cost_of_a_head_is_counted() -> None:
    model = build_head("mean", 20, 100, 5)
    assert parameters(model) == 100 * 5 + 5
    assert multiplications(model) == 100 * 5
    frames = build_head("rolling_average", 20, 100, 5)
    assert multiplications(frames) == 20 * 100 * 5
    # Two matrices a step: from the features and from the state.
    assert multiplications(build_head("lstm", 20, 100, 5)) == 20 * (100 * 64 + 128 * 256) + 64 * 5


def test_a_name_is_taken_once() -> None:
    def mean(frames: int, width: int, classes: int) -> None: ...

    heads()
    with pytest.raises(ConfigError, match="head 'mean' is registered twice"):
        head(causal=True, ordered=False)(mean)


def test_weights_of_another_head_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mean.weights.h5"
    build_head("mean", 4, 8, 2).save_weights(path)
    with pytest.raises(WeightsError, match=r"mean\.weights\.h5 does not hold weights of the .*gru"):
        load_head("gru", 4, 8, 2, str(path))
    with pytest.raises(WeightsError, match="does not hold weights of the head mean"):
        load_head("mean", 4, 9, 2, str(path))
    path.write_bytes(b"not a weights file")
    with pytest.raises(WeightsError, match="does not hold weights of the head mean"):
        load_head("mean", 4, 8, 2, str(path))
