"""What hangs together: rows that share a value in some column, and all that these lead to."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(*columns: pl.Series) -> pl.Series:
    """A number for each row, (n,): the same for rows that a chain of shared values joins.

    Null is shared with no row.

    >>> components(pl.Series(["a", "a", None, None]), pl.Series([1, 2, 2, None])).to_list()
    [0, 0, 0, 1]
    """
    count = len(columns[0])
    nodes = count
    rows: list[int] = []
    values: list[int] = []
    for column in columns:
        # Each distinct value is a node behind those of the rows.
        codes = column.rank("dense") - 1
        held = codes.is_not_null().arg_true()
        rows += held.to_list()
        values += (codes.drop_nulls().cast(pl.Int64) + nodes).to_list()
        nodes += column.drop_nulls().n_unique()
    links = coo_array((np.ones(len(rows), np.bool_), (rows, values)), shape=(nodes, nodes))
    _, numbers = connected_components(links, directed=False)
    return pl.Series(numbers[:count], dtype=pl.Int64)
