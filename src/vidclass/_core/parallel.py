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
    """An item with its result, or with the VidclassError that it raised."""

    item: Item
    result: Result | None
    error: VidclassError | None = None


def run_each(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Generator[Done[Item, Result], None, None]:
    """Yield `work(item)` for each item, in order, computed ahead in threads.

    At most twice as many items as workers are in progress or waiting to be consumed, so memory
    stays bounded however slow the consumer is.  A VidclassError becomes a value; any other error
    is a defect and is raised.  Closing the iterator cancels items that have not started.
    """
    count = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(count) as pool:
        pending: deque[tuple[Item, Future[Result]]] = deque()
        source = iter(items)
        try:
            for item in islice(source, 2 * count):
                pending.append((item, pool.submit(work, item)))
            while pending:
                item, future = pending.popleft()
                yield _done(item, future)
                for item in islice(source, 1):
                    pending.append((item, pool.submit(work, item)))
        finally:
            for _, future in pending:
                future.cancel()


def _done(item: Item, future: Future[Result]) -> Done[Item, Result]:
    try:
        return Done(item, future.result())
    except VidclassError as error:
        return Done(item, None, error)
