"""Group commit: one task takes whatever is queued and appends it as one durable transaction (DESIGN 3)."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

import structlog

from foundation.store.port import Appended, AppendRequest, Conflict, EventStore, Outcome, StoreUnavailable, WritesRefused

log = structlog.get_logger()


class Overloaded(Exception):
    """The queue to the history is full: nothing was done, come back in a moment."""


@dataclass(frozen=True, slots=True)
class BatchMeasured:
    """One batch as metrics see it."""

    requests: int
    record_bytes: int
    seconds: float


class _Queued(NamedTuple):
    request: AppendRequest
    size: int
    answer: asyncio.Future[Outcome]


class GroupCommit:
    """The one writer of a process. `batch_max` requests and about `bytes_max` bytes of records a batch, `queue_max` requests waiting.

    `on_death` is called once if the writer ends by anything but `close`: the process has to exit, for what it decided in memory may
    not stand. `measured` sees every batch.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        batch_max: int = 256,
        bytes_max: int = 4_000_000,
        queue_max: int = 10_000,
        on_death: Callable[[BaseException], None] | None = None,
        measured: Callable[[BatchMeasured], None] | None = None,
    ) -> None:
        self._store, self._batch_max, self._bytes_max, self._queue_max = store, batch_max, bytes_max, queue_max
        self._on_death, self._measured = on_death, measured
        self._queue: deque[_Queued] = deque()
        self._under_way: list[_Queued] = []
        self._failed: WeakSet[AppendRequest] = WeakSet()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="history-writer")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Write what is queued, then end; later submits raise StoreUnavailable."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def queued(self) -> int:
        """Requests waiting for a batch."""
        return len(self._queue)

    def submit(self, request: AppendRequest) -> asyncio.Future[Outcome]:
        """Queue a request. The future carries its outcome, or raises StoreUnavailable, WritesRefused or what its data is refused with.

        A request of whose `decided_on` one did not come to be gets Conflict without events, unsent. Raises Overloaded, StoreUnavailable.
        """
        if self._closing or self._task is None or self._task.done():
            raise StoreUnavailable("the writer of this history has stopped")
        if len(self._queue) >= self._queue_max:
            raise Overloaded(f"{self._queue_max} requests are waiting to be written")
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        size = sum([len(event.record) for append in request.streams for event in append.events])
        self._queue.append(_Queued(request, size, answer))
        self._wake.set()
        return answer

    async def _run(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
            self._under_way = self._take()
            if self._under_way:
                await self._write(self._under_way)
            self._under_way = []

    def _take(self) -> list[_Queued]:
        batch: list[_Queued] = []
        size = 0
        while self._queue and len(batch) < self._batch_max and (not batch or size + self._queue[0].size <= self._bytes_max):
            queued = self._queue.popleft()
            if self._unmet(queued.request):
                self._settle(queued, _no_basis(queued.request))
            else:
                batch.append(queued)
                size += queued.size
        return batch

    async def _write(self, batch: list[_Queued]) -> None:
        started = asyncio.get_running_loop().time()
        try:
            outcomes = await self._store.append([queued.request for queued in batch])
        except (StoreUnavailable, WritesRefused) as error:
            for queued in batch:
                self._fail(queued, error)
        except Exception as error:
            if len(batch) == 1:
                log.error("store.request_refused", error=repr(error))
                self._fail(batch[0], error)
                return
            log.warning("store.batch_retried_singly", requests=len(batch), error=repr(error))
            await self._write_singly(batch)
        else:
            for queued, outcome in zip(batch, outcomes, strict=True):
                self._settle(queued, outcome)
            if self._measured is not None:
                seconds = asyncio.get_running_loop().time() - started
                self._measured(BatchMeasured(len(batch), sum([queued.size for queued in batch]), seconds))

    async def _write_singly(self, batch: list[_Queued]) -> None:
        for queued in batch:
            if self._unmet(queued.request):
                self._settle(queued, _no_basis(queued.request))
            else:
                await self._write([queued])

    def _unmet(self, request: AppendRequest) -> bool:
        return any(basis in self._failed for basis in request.decided_on)

    def _settle(self, queued: _Queued, outcome: Outcome) -> None:
        if not isinstance(outcome, Appended):
            self._failed.add(queued.request)
        queued.request.decided_on = ()  # or a hot stream's chain of requests would grow in memory for ever
        if not queued.answer.done():
            queued.answer.set_result(outcome)

    def _fail(self, queued: _Queued, error: BaseException) -> None:
        self._failed.add(queued.request)
        queued.request.decided_on = ()
        if not queued.answer.done():
            queued.answer.set_exception(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
        waiting = [*self._under_way, *self._queue]
        self._queue.clear()
        for queued in waiting:
            if not queued.answer.done():
                queued.answer.set_exception(StoreUnavailable("the writer of this history died"))
        if error is not None:
            log.critical("store.writer_died", error=repr(error))
            if self._on_death is not None:
                self._on_death(error)


def _no_basis(request: AppendRequest) -> Conflict:
    return Conflict(request.streams[0].stream, request.streams[0].expected, ())
