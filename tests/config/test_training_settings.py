"""Texts of training settings, and the fields that they become."""

from __future__ import annotations

from typing import Any

import pytest

from vidclass.config import parse_training_settings, training_setting_names
from vidclass.errors import ConfigError
from vidclass.training.presets import run_config


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], {}),
        (["ema=0.99", "loss=focal"], {"ema": 0.99, "loss": "focal"}),
        (["patience=none"], {"patience": None}),
        (["refit=false", " epochs = 7 "], {"refit": False, "epochs": 7}),
        (["ema=0.9", "ema=0.99"], {"ema": 0.99}),
        (
            ["augment.mixup=0.2", "augment.frame_drop=0.1"],
            {"augment": {"mixup": 0.2, "frame_drop": 0.1}},
        ),
        (
            ['augment.reverse_labels={"a=1": "b"}'],
            {"augment": {"reverse_labels": {"a=1": "b"}}},
        ),
        (["augment.reverse_labels=all"], {"augment": {"reverse_labels": "all"}}),
    ],
)
def test_texts_become_fields(texts: list[str], expected: dict[str, Any]) -> None:
    assert parse_training_settings(texts) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ema", r"settings='ema' must be KEY=VALUE, as in ema=0\.99"),
        ("=3", r"settings='=3' must be KEY=VALUE"),
        ("emma=0.9", r"settings='emma' is not one of .* Did you mean 'ema'\?"),
        ("augment.mixupp=1", r"Did you mean 'augment\.mixup'\?"),
        ("augment=1", r"settings='augment' is not one of"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_training_settings([text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ema=1.5", r"^ema=1\.5: Input should be less than 1"),
        ("monitor=f1", r"^monitor='f1': Input should be 'loss' or 'macro_f1'"),
        ("augment.mixup=much", r"^augment\.mixup='much': Input should be a valid number"),
        ("focal_gamma=1", r"focal_gamma=1\.0 is used only by loss='focal'"),
    ],
)
def test_a_wrong_value_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_config(training=parse_training_settings([text]))


def test_every_key_arrives() -> None:
    texts = ["epochs=3", "batch_size=8", "optimizer=adam", "learning_rate=0.1", "cosine=false",
             "weight_decay=0.1", "label_smoothing=0.1", "patience=2", "refit=false",
             "balance_classes=false", "seed=4", "loss=focal", "focal_gamma=1", "ema=0.5",
             "monitor=macro_f1", "augment.mixup=0.1", "augment.frame_drop=0.1",
             "augment.jitter=0.1", "augment.reverse=0.1", "augment.reverse_labels=all"]  # fmt: skip
    assert [text.split("=")[0] for text in texts] == training_setting_names()
    training = run_config(training=parse_training_settings(texts)).training
    dump = training.model_dump()
    for name, value in parse_training_settings(texts).items():
        assert dump[name] == value
