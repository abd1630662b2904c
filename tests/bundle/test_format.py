from __future__ import annotations

import json
from typing import Any

import pytest

from vidclass.bundle.format import parse_info
from vidclass.config import FeatureConfig
from vidclass.errors import BundleError
from vidclass.tasks.multi_label import MultiLabelTask


def described(task: dict[str, Any], **changes: object) -> bytes:
    head = {
        "features": FeatureConfig().model_dump(), "feature_fingerprint": "f", "head": "mean",
        "width": 4, "route": "keras",
    }  # fmt: skip
    info = {
        "schema_version": 2, "task": task, "ensemble": [head], "versions": {},
        "data_fingerprint": "d", "trained_on": 1, "sha256": {"head.xml": "", "head.bin": ""},
    }  # fmt: skip
    return json.dumps(info | changes).encode()


SEVERAL = MultiLabelTask(("a", "b"), "bg", thresholds=(0.25, 0.5))


def test_a_description_keeps_its_task() -> None:
    info = parse_info(described(SEVERAL.to_json()), "new")
    assert info.task == SEVERAL
    assert parse_info(info.model_dump_json().encode(), "again") == info


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": [0.25]}, "damaged: 1 thresholds for 2 labels"),
        ({"kind": "several"}, "damaged: task=.*kind='several' is none of"),
        ({"surprise": 1}, "damaged: .*surprise"),
        ({"labels": 3}, "damaged: .*labels"),
    ],
)
def test_a_damaged_task_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse_info(described(SEVERAL.to_json() | changes), "odd")


def test_another_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(BundleError, match=r"^old is a bundle of another .*schema_version=1, .*Tra"):
        parse_info(described(SEVERAL.to_json(), schema_version=1), "old")
    with pytest.raises(BundleError, match="no permutation of its labels"):
        head = json.loads(described(SEVERAL.to_json()))["ensemble"][0] | {"swap": [0, 0]}
        parse_info(described(SEVERAL.to_json(), ensemble=[head]), "odd")
