from __future__ import annotations

import numpy as np
import pytest

from vidclass.errors import ManifestError
from vidclass.tasks.tree import LabelTree

TREE = LabelTree.from_labels(
    ["walk", "ball/tennis", "ball/team/soccer", "ball/team/basket", "ball"]
)


def test_a_label_with_others_below_it_is_no_leaf() -> None:
    assert TREE.leaves == ("ball/team/basket", "ball/team/soccer", "ball/tennis", "walk")
    assert TREE.depth == 3
    assert "ball" in TREE
    assert "ball/team" in TREE
    assert "team" not in TREE
    assert TREE.leaves_below("ball") == [0, 1, 2]
    assert TREE.leaves_below("walk") == [3]


def test_a_leaf_stands_for_itself_at_the_levels_below() -> None:
    nodes, leaves = TREE.level(2)
    assert nodes == ["ball/team", "ball/tennis", "walk"]
    assert leaves.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert TREE.level(3)[0] == list(TREE.leaves)
    for level in (1, 2, 3):
        np.testing.assert_array_equal(TREE.level(level)[1].sum(1), 1)


def test_the_nodes_of_each_level_share_out_the_probability() -> None:
    for nodes, probabilities in TREE.level_probabilities(np.array([[0.3, 0.1, 0.2, 0.4]])):
        assert probabilities.shape == (1, len(nodes))
        assert probabilities.sum() == pytest.approx(1)
    nodes, probabilities = TREE.level_probabilities(np.array([0.3, 0.1, 0.2, 0.4]))[0]
    assert (nodes, probabilities.tolist()) == (["ball", "walk"], [pytest.approx(0.6), 0.4])


@pytest.mark.parametrize("malformed", ["a//b", "/a", "a/", "a / b", "a/ b"])
def test_levels_without_a_name_or_with_blanks_are_refused(malformed: str) -> None:
    with pytest.raises(
        ManifestError, match=rf"levels of a label have names.*received: '{malformed}'\."
    ):
        LabelTree.from_labels(["fine/leaf", malformed])
