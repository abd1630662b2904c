"""The local engine: order, bounded memory, errors as values."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass._core.parallel import Done, run_each
from vidclass.errors import VideoError


@given(items=st.lists(st.integers(), max_size=30), workers=st.integers(1, 4))
@settings(deadline=None)
def test_results_come_in_the_order_of_items(items: list[int], workers: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.0005 * (item % 3))
        return item * 2

    assert list(run_each(work, items, workers=workers)) == [Done(k, k * 2) for k in items]


def test_work_is_done_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)
    assert [done.result for done in run_each(lambda _: meeting.wait() >= 0, range(3), workers=3)]


def test_as_many_workers_as_processors_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: None)
    threads = {done.result for done in run_each(lambda _: threading.get_ident(), range(8))}
    assert len(threads) == 1


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_than_twice_as_many_items_as_workers_are_taken_ahead(workers: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    results = run_each(lambda item: item, items(), workers=workers)
    assert taken == 0
    for received in range(1, 20):
        next(results)
        assert taken <= received - 1 + 2 * workers
    results.close()
    assert taken < 1000


def test_an_expected_error_is_a_value_and_the_rest_goes_on() -> None:
    error = VideoError("b.avi", "is empty")

    def work(item: str) -> str:
        if item == "b.avi":
            raise error
        return item

    names = ["a.avi", "b.avi", "c.avi"]
    found = list(run_each(work, names))
    assert found == [Done("a.avi", "a.avi"), Done("b.avi", None, error), Done("c.avi", "c.avi")]


def test_a_defect_is_raised_in_its_place() -> None:
    results = run_each(lambda item: 1 / item, [1, 0, 1])
    assert next(results).result == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_an_error_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the list ends here")

    with pytest.raises(OSError, match="the list ends here"):
        list(run_each(lambda item: item, items()))


def test_closing_cancels_what_has_not_begun() -> None:
    begun: list[int] = []
    both_busy = threading.Barrier(3, timeout=10)
    release = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item > 0:
            both_busy.wait()
            release.wait(10)
        return item

    results = run_each(work, range(100), workers=2)
    assert next(results).result == 0
    both_busy.wait()
    timer = threading.Timer(0.2, release.set)
    timer.start()
    results.close()
    timer.join()
    assert sorted(begun) == [0, 1, 2]  # 3 was waiting for a thread


def test_closing_waits_for_what_is_under_way() -> None:
    finished: list[int] = []
    begun = threading.Event()

    def work(item: int) -> None:
        if item == 1:
            begun.set()
            time.sleep(0.1)
        finished.append(item)

    results = run_each(work, range(3), workers=1)
    next(results)
    begun.wait(10)
    results.close()
    assert finished == [0, 1]


def test_no_items_are_no_work() -> None:
    assert list(run_each(lambda item: item, [])) == []
