"""Labels with levels, `sport/basketball`: a tree whose leaves are the classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vidclass._core.text import listed, quoted
from vidclass.errors import ManifestError

LEVEL_SEPARATOR = "/"


def levels_in(label: str) -> list[str]:
    """The nodes from the top down to a label, itself the last.

    >>> levels_in("sport/ball/basketball")
    ['sport', 'sport/ball', 'sport/ball/basketball']
    """
    parts = label.split(LEVEL_SEPARATOR)
    return [LEVEL_SEPARATOR.join(parts[: depth + 1]) for depth in range(len(parts))]


@dataclass(frozen=True)
class LabelTree:
    """The leaves of a tree of labels, in the order of every score vector.

    At each level a leaf that ends further up stands for itself, so that the nodes of every level
    share out all leaves among them.
    """

    leaves: tuple[str, ...]

    @classmethod
    def of(cls, labels: Iterable[str]) -> LabelTree:
        """The tree of all these labels; one that others lie below is no leaf.

        Raises:
            ManifestError: a level has no name, or blanks around it.
        """
        names = sorted(set(labels))
        odd = [
            name
            for name in names
            if any(not part or part != part.strip() for part in name.split(LEVEL_SEPARATOR))
        ]
        if odd:
            raise ManifestError(
                f"levels of a label have names, with {LEVEL_SEPARATOR!r} and no blanks between "
                f"them, as in 'sport/basketball'; received: {listed(quoted(odd))}."
            )
        inner = {node for name in names for node in levels_in(name)[:-1]}
        return cls(tuple(name for name in names if name not in inner))

    @cached_property
    def depth(self) -> int:
        """How many levels there are."""
        return max(len(levels_in(leaf)) for leaf in self.leaves)

    @cached_property
    def _leaves_below(self) -> dict[str, list[int]]:
        below: dict[str, list[int]] = {}
        for index, leaf in enumerate(self.leaves):
            for node in levels_in(leaf):
                below.setdefault(node, []).append(index)
        return below

    def __contains__(self, label: str) -> bool:
        """Whether a label is a leaf, or a node above one."""
        return label in self._leaves_below

    def leaves_below(self, label: str) -> list[int]:
        """The leaves that a clip with this label may be of: one, or all below a parent."""
        return self._leaves_below[label]

    def node_of(self, leaf: int, level: int) -> str:
        """The node of a leaf at a level, from 1; the leaf itself where it ends further up."""
        nodes = levels_in(self.leaves[leaf])
        return nodes[min(level, len(nodes)) - 1]

    def level(self, level: int) -> tuple[list[str], NDArray[np.float64]]:
        """The nodes of a level, sorted, and which leaves are theirs: (K, nodes) of 0 and 1."""
        node_of_leaf = [self.node_of(index, level) for index in range(len(self.leaves))]
        nodes = sorted(set(node_of_leaf))
        places = [nodes.index(node) for node in node_of_leaf]
        return nodes, np.eye(len(nodes))[places]
