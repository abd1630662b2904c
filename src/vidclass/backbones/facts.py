"""What is known of a model that is in no table here: its settings say it, or making it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from vidclass._core.files import cache_folder, write_text


@dataclass(frozen=True)
class Facts:
    """What a model's settings come to once it is made.

    Attributes:
        width: D, the width of its features.
        parameters: How many it has, as far as frames go through them.
    """

    width: int
    parameters: int


@dataclass(frozen=True)
class Description:
    """A model behind a prefix, as the table of backbones would have it.

    Attributes:
        size: The side of its square input, in pixels.
        facts: Its width and parameters.
        licence: Of its weights, or where that is to be found.
        window: How many successive frames it sees at once.
    """

    size: int
    facts: Facts
    licence: str
    window: int = 1


def cached_facts(key: list[Any], find: Callable[[], Facts]) -> Facts:
    """The facts kept under `key`, or those that `find` finds now, which takes some seconds."""
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    file = cache_folder() / "backbones" / f"{digest}.json"
    try:
        return Facts(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass  # what `find` may raise has nothing to do with it
    facts = find()
    write_text(file, json.dumps(asdict(facts)))
    return facts
