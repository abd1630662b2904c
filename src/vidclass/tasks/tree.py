"""Tree of hierarchical labels such as `sport/basketball`; its leaves are the classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import listed, quoted
from vidclass.errors import ManifestError

LEVEL_SEPARATOR = "/"


def path_of(label: str) -> list[str]:
    """Return the nodes from the top down to a label, which is the last.

    >>> path_of("sport/ball/basketball")
    ['sport', 'sport/ball', 'sport/ball/basketball']
    """
    parts = label.split(LEVEL_SEPARATOR)
    return [LEVEL_SEPARATOR.join(parts[: depth + 1]) for depth in range(len(parts))]


@dataclass(frozen=True)
class LabelTree:
    """Leaves of a tree of labels, in the order of every score vector.

    At each level below its own, a leaf stands for itself, so that the nodes of every level
    partition the leaves.
    """

    leaves: tuple[str, ...]

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> LabelTree:
        """Build the tree of all these labels; one that others lie below is no leaf.

        Raises:
            ManifestError: a level has no name, or blanks around it.
        """
        names = sorted(set(labels))
        malformed = [
            name
            for name in names
            if any(not part or part != part.strip() for part in name.split(LEVEL_SEPARATOR))
        ]
        if malformed:
            raise ManifestError(
                f"levels of a label have names, with {LEVEL_SEPARATOR!r} and no blanks between "
                f"them, as in 'sport/basketball'; received: {listed(quoted(malformed))}."
            )
        inner = {node for name in names for node in path_of(name)[:-1]}
        return cls(tuple(name for name in names if name not in inner))

    @cached_property
    def depth(self) -> int:
        """Number of levels."""
        return max(len(path_of(leaf)) for leaf in self.leaves)

    @cached_property
    def _leaves_below(self) -> dict[str, list[int]]:
        below: dict[str, list[int]] = {}
        for index, leaf in enumerate(self.leaves):
            for node in path_of(leaf):
                below.setdefault(node, []).append(index)
        return below

    def __contains__(self, label: str) -> bool:
        """Return whether a label is a leaf, or a node above one."""
        return label in self._leaves_below

    def leaves_below(self, label: str) -> list[int]:
        """Return the indices of the leaves below a node; of a leaf, its own."""
        return self._leaves_below[label]

    def node_of(self, leaf: int, level: int) -> str:
        """Return the node of a leaf at a level, from 1; below its own level, the leaf itself."""
        nodes = path_of(self.leaves[leaf])
        return nodes[min(level, len(nodes)) - 1]

    def level(self, level: int) -> tuple[list[str], NDArray[np.float64]]:
        """Return the sorted nodes of a level, and (K, nodes) of 0 and 1: which leaves are below."""
        node_of_leaf = [self.node_of(index, level) for index in range(len(self.leaves))]
        nodes = sorted(set(node_of_leaf))
        return nodes, np.eye(len(nodes))[[nodes.index(node) for node in node_of_leaf]]

    def level_probabilities(
        self, probabilities: NDArray[np.floating]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return for each level, from the top, its nodes and their probabilities (..., nodes).

        The probability of a node is the sum over the leaves (..., K) below it.
        """
        levels = [self.level(level) for level in range(1, self.depth + 1)]
        return [(nodes, np.minimum(probabilities @ below, 1.0)) for nodes, below in levels]
