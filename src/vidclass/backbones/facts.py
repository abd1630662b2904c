"""Width and parameters of networks that are in no table, kept once they are measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from vidclass._core.files import cache_folder, write_text


@dataclass(frozen=True)
class Facts:
    """Measured facts of a network.

    Attributes:
        width: D, the width of its features.
        parameters: Number of parameters that frames go through.
    """

    width: int
    parameters: int


def cached_facts(key: list[Any], measure: Callable[[], Facts]) -> Facts:
    """Return the facts stored under `key`, or measure and store them, which takes some seconds.

    Args:
        key: JSON values on which the facts depend.
        measure: Builds the network and measures it.

    Raises:
        VidclassError: whatever `measure` raises.
    """
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    file = cache_folder() / "backbones" / f"{digest}.json"
    try:
        return Facts(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass  # what `measure` may raise has nothing to do with it
    facts = measure()
    write_text(file, json.dumps(asdict(facts)))
    return facts
