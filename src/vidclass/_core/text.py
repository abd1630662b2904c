"""Text of errors and notes: counts, lists, suggestions."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "clip"), counted(3, "class")
    ('1 clip', '3 classes')
    """
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def quoted(items: Iterable[object]) -> list[str]:
    """Return the `repr` of each item's text."""
    return [repr(str(item)) for item in items]


def listed(items: Iterable[str], *, most: int = 5) -> str:
    """Join the first few items, and count the others.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    texts = list(items)
    text = ", ".join(texts[:most])
    return f"{text} and {len(texts) - most} more" if len(texts) > most else text


def percent(share: float | None) -> str:
    """Return a share as a percentage, or a dash for None.

    >>> percent(0.5), percent(None)
    ('50.0 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the nearest of the allowed words, or an empty string."""
    near = get_close_matches(word.lower(), list(allowed), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
