"""Run a function over many items in the threads of this process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from vidclass.errors import VidclassError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """An item and what came of it: a result, or the error that was expected to be possible."""

    item: Item
    result: Result | None
    error: VidclassError | None = None


def run_each(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Generator[Done[Item, Result], None, None]:
    """Yield what `work` makes of each item, in the items' order, working ahead in threads.

    At most twice as many items as workers are under way or wait to be taken, so memory stays
    bounded however slow the taker is.  A VidclassError becomes a value; any other is a defect and
    is raised.  Closing the iterator cancels what has not begun.
    """
    count = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        source = iter(items)
        try:
            for item in islice(source, 2 * count):
                waiting.append((item, pool.submit(work, item)))
            while waiting:
                item, future = waiting.popleft()
                yield _done(item, future)
                for item in islice(source, 1):
                    waiting.append((item, pool.submit(work, item)))
        finally:
            for _, future in waiting:
                future.cancel()


def _done(item: Item, future: Future[Result]) -> Done[Item, Result]:
    try:
        return Done(item, future.result())
    except VidclassError as error:
        return Done(item, None, error)
