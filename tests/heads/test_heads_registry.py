from __future__ import annotations

import math
from pathlib import Path

import pytest

from vidclass.errors import ConfigError, WeightsError
from vidclass.heads import registry
from vidclass.heads.registry import build_head, head, heads, load_head
from vidclass.training.recipes import DEFAULT_HEAD, TRAINING


def test_the_heads_are_these_and_each_has_training_settings() -> None:
    assert list(heads()) == ["mean", "temporal", "gru", "gru_attention"]
    assert list(TRAINING) == list(heads())
    assert DEFAULT_HEAD in heads()


def test_the_example_s_head_has_its_number_of_parameters() -> None:
    model = build_head("gru", 20, 2048, 5)
    assert model.count_params() == 99_909
    assert sum(math.prod(weight.shape) for weight in model.trainable_variables) == 99_909


def test_an_unknown_head_is_named_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"head='gruu' is not one of \['gru', .*\]\. Did you mean 'gru'\?"
    ):
        build_head("gruu", 20, 8, 2)


def test_a_name_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(frames: int, width: int, classes: int) -> None: ...

    heads()
    monkeypatch.setattr(registry, "_heads", dict(registry._heads))
    with pytest.raises(ConfigError, match="head 'mean' is registered twice"):
        head(mean)


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
