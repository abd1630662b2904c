"""Damaged videos without end, and child processes that read them.

One file is damaged in one to four ways: bits flipped, ranges cut, zeroed, swapped, repeated, the
header edited, the end lost.  Everything follows from a seed.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

LIMIT_S = 10.0
LIMIT_BYTES = 1 << 30
HEADER_BYTES = 600


def mutated(data: bytes, seed: int) -> bytes:
    """`data` with the damage of this seed."""
    rng = random.Random(seed)
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if changed:
            rng.choice(MUTATIONS)(changed, rng)
    return bytes(changed)


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 4, 32, 200])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _edit_header(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(min(HEADER_BYTES, len(data)))
        data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])


def _edit_number(data: bytearray, rng: random.Random) -> None:
    """A length, a count or an offset becomes extreme."""
    place = rng.randrange(len(data))
    value = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.randrange(2**32)])
    new = value.to_bytes(4, rng.choice(["little", "big"]))
    data[place : place + 4] = new[: len(data[place : place + 4])]


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _some_range(data: bytearray, rng: random.Random) -> slice:
    start = rng.randrange(len(data))
    return slice(start, start + rng.choice([1, 16, 256, 4096]))


def _zero(data: bytearray, rng: random.Random) -> None:
    part = _some_range(data, rng)
    data[part] = bytes(len(data[part]))


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_some_range(data, rng)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    part = _some_range(data, rng)
    data[part.start : part.start] = data[part]


def _swap(data: bytearray, rng: random.Random) -> None:
    one, two = _some_range(data, rng), _some_range(data, rng)
    length = min(len(data[one]), len(data[two]))
    first, second = slice(one.start, one.start + length), slice(two.start, two.start + length)
    data[first], data[second] = data[second], data[first]


def _tag_swap(data: bytearray, rng: random.Random) -> None:
    """Two four-letter names, as of boxes and chunks, change places."""
    places = [k for k in range(len(data) - 4) if data[k : k + 4].isalpha()]
    if len(places) > 1:
        one, two = rng.sample(places, 2)
        data[one : one + 4], data[two : two + 4] = data[two : two + 4], data[one : one + 4]


MUTATIONS: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip_bits,
    _edit_header,
    _edit_number,
    _truncate,
    _zero,
    _cut,
    _repeat,
    _swap,
    _tag_swap,
)


@dataclass(frozen=True)
class Job:
    """A damaged file to read: the source, the seed of its damage, where to write it."""

    source: Path
    seed: int


@dataclass
class Outcome:
    """What came of all jobs: how many ended how, and those that ended badly."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def add(self, job: Job, verdict: str, detail: str = "") -> None:
        self.counts[verdict] += 1
        if verdict not in ("frames", "VideoError"):
            self.bad.append(f"{job.source.name} seed {job.seed}: {verdict} {detail}")


def work(connection: Connection, folder: Path) -> None:
    """In a child process: read files and say how each ended, until there are no more."""
    import resource

    from vidclass.config import GeometryConfig, SamplingConfig
    from vidclass.errors import VideoError
    from vidclass.types import Span
    from vidclass.video.decode import decode_clip
    from vidclass.video.probe import probe

    _limit_memory(resource)
    sampling, geometry = SamplingConfig(frames=4), GeometryConfig(size=32)
    while (job := connection.recv()) is not None:
        path = folder / f"{job.seed}{job.source.suffix}"
        path.write_bytes(mutated(job.source.read_bytes(), job.seed))
        verdicts = []
        for attempt in (
            lambda path=path: probe(path),
            lambda path=path: decode_clip(path, span=Span(), sampling=sampling, geometry=geometry),
        ):
            try:
                attempt()
                verdicts.append(("frames", ""))
            except VideoError as error:
                good = error.cause and error.hint and str(path) in str(error)
                verdicts.append(("VideoError", "") if good else ("unnamed", repr(error)))
            except BaseException as error:
                verdicts.append((type(error).__name__, str(error)[:200]))
        path.unlink()
        worst = next((v for v in verdicts if v[0] not in ("frames", "VideoError")), verdicts[-1])
        connection.send((*worst, _peak_bytes(resource)))


def _peak_bytes(resource: object) -> int:
    """The most memory that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss begins with what the parent had when it forked.
        peak = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # type: ignore[attr-defined]


def _limit_memory(resource: object) -> None:
    """Let this process have a gigabyte more than the libraries took to load."""
    status = Path("/proc/self/statm")
    if status.exists():
        pages = int(status.read_text().split()[0])
        limit = pages * resource.getpagesize() + LIMIT_BYTES  # type: ignore[attr-defined]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))  # type: ignore[attr-defined]


class Worker:
    """A child process; a new one is started when it dies or hangs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("spawn")
        self._process: BaseProcess | None = None
        self.job: Job | None = None
        self.deadline_s = 0.0
        self.start()

    def start(self) -> None:
        self.connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()
        self._fresh = True

    def give(self, job: Job) -> None:
        # The first file waits for the imports too.
        self.job, self.deadline_s = job, time.monotonic() + LIMIT_S + (60 if self._fresh else 0)
        self._fresh = False
        self.connection.send(job)

    def stop(self) -> int | None:
        """Ends the process, and says how it ended by itself, if it did."""
        if self._process is None:
            return None
        self.connection.close()
        self._process.join(0.5)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join()
        return code


def read_all(jobs: Iterator[Job], folder: Path, *, workers: int = 2) -> Outcome:
    """Give each job to a child process; none may crash, hang, or take more than a gigabyte."""
    outcome = Outcome()
    pool = [Worker(folder) for _ in range(workers)]
    for worker in pool:
        _next(worker, jobs)
    while busy := [worker for worker in pool if worker.job is not None]:
        wait_s = max(0.0, min(worker.deadline_s for worker in busy) - time.monotonic())
        ready = multiprocessing.connection.wait([w.connection for w in busy], wait_s)
        for worker in busy:
            if worker.connection in ready:
                _collect(worker, outcome)
                _next(worker, jobs)
            elif time.monotonic() > worker.deadline_s:
                outcome.add(worker.job or Job(Path(), 0), "hang")
                worker.stop()
                worker.start()
                _next(worker, jobs)
    for worker in pool:
        worker.connection.send(None)
        worker.stop()
    return outcome


def _next(worker: Worker, jobs: Iterator[Job]) -> None:
    worker.job = None
    job = next(jobs, None)
    if job is not None:
        worker.give(job)


def _collect(worker: Worker, outcome: Outcome) -> None:
    job = worker.job or Job(Path(), 0)
    try:
        verdict, detail, peak_bytes = worker.connection.recv()
    except (EOFError, OSError):
        outcome.add(job, "crash", f"exit code {worker.stop()}")
        worker.start()
        return
    if peak_bytes > LIMIT_BYTES:
        outcome.add(job, "memory", f"{peak_bytes >> 20} MiB")
        worker.stop()
        worker.start()
    else:
        outcome.add(job, verdict, detail)
