"""From extracted clips to arrays a head can learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidclass.data.manifest import Manifest
from vidclass.errors import JobFailedError
from vidclass.features.clip import padded
from vidclass.features.extract import Extraction
from vidclass.training.fit import Examples


def readable(extraction: Extraction) -> NDArray[np.int64]:
    """The rows of the manifest that have features.

    Raises:
        JobFailedError: none has.
    """
    rows = np.flatnonzero([clip is not None for clip in extraction.clips])
    if len(rows) == 0:
        first = extraction.failures[0].message if extraction.failures else "there are no clips"
        raise JobFailedError(
            f"none of the {len(extraction.clips)} clips could be read. The first one: {first}"
        )
    return rows


def readable_manifest(extraction: Extraction) -> Manifest:
    """The clips that have features: only these can be split and scored."""
    manifest = extraction.manifest
    return Manifest(manifest.table[readable(extraction).tolist()], manifest.notes)


def examples(extraction: Extraction, labels: Sequence[str], frames: int) -> Examples:
    """All readable clips, in the order of `readable_manifest`."""
    index = {label: number for number, label in enumerate(labels)}
    rows = readable(extraction)
    features, mask = padded([extraction.clips[row] for row in rows], frames)
    truth = [index[extraction.manifest.table["label"][int(row)]] for row in rows]
    return Examples(features, mask, np.array(truth, np.int64))
