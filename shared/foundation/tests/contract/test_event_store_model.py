"""Any sequence of batches, on every adapter, against the most naive model there is."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from foundation.cursor import Pool
from foundation.store.memory import MemoryStore
from foundation.store.port import (
    Appended,
    AppendRequest,
    CommandKey,
    Conflict,
    EventStore,
    KeyReused,
    NewEvent,
    Outcome,
    Repeated,
    StreamAppend,
)
from foundation.store.postgres import PostgresStore
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

T = TypeVar("T")

STREAMS = ["a-1", "a-2", "b-1"]


class Drawn:
    """One request as drawn: per stream how far off its expectation is and how many events, maybe a command, maybe a basis before it."""

    def __init__(self, streams: dict[str, tuple[int, int]], command: tuple[int, bytes] | None, basis: list[int]) -> None:
        self.streams, self.command, self.basis = streams, command, basis

    def __repr__(self) -> str:
        return f"Drawn({self.streams}, {self.command}, {self.basis})"


drawn = st.builds(
    Drawn,
    st.dictionaries(st.sampled_from(STREAMS), st.tuples(st.sampled_from([0, 0, 0, 0, -1, 1]), st.integers(0, 3)), min_size=1, max_size=3),
    st.none() | st.tuples(st.integers(0, 5), st.sampled_from([b"h", b"h", b"other"])),
    st.lists(st.integers(1, 4), max_size=2),
)


class Naive:
    """The model: lists and dictionaries, one request after another."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, bytes]] = []
        self.commands: dict[UUID, tuple[bytes, bytes, int]] = {}

    def version(self, stream: str) -> int:
        return sum(one == stream for one, _, _ in self.log)

    def append(self, request: AppendRequest, failed: set[int]) -> tuple[Any, ...]:
        if request.command is not None and request.command.id in self.commands:
            hmac, result, position = self.commands[request.command.id]
            return (Repeated, result, position) if hmac == request.command.request_hmac else (KeyReused,)
        if any(id(basis) in failed for basis in request.decided_on):
            return (Conflict, request.streams[0].stream)
        for append in request.streams:
            if self.version(append.stream) != append.expected:
                return (Conflict, append.stream)
        for append in request.streams:
            for event in append.events:
                self.log.append((append.stream, self.version(append.stream) + 1, event.record))
        position = len(self.log) - 1
        if request.command is not None:
            self.commands[request.command.id] = (request.command.request_hmac, request.command.result, position)
        return (Appended, position)


def seen(outcome: Outcome) -> tuple[Any, ...]:
    match outcome:
        case Appended(position):
            return Appended, position
        case Repeated(result, position):
            return Repeated, result, position
        case Conflict(stream):
            return Conflict, stream
    return (KeyReused,)


def machine(make: Callable[[], EventStore], run: Callable[[Coroutine[Any, Any, T]], T]) -> type[RuleBasedStateMachine]:
    """The machine for one adapter; `make` gives it an empty store."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.store = make()
            self.naive = Naive()
            self.drawn = 0

        @rule(batch=st.lists(drawn, min_size=1, max_size=5))
        def append(self, batch: list[Drawn]) -> None:
            requests: list[AppendRequest] = []
            expected: list[tuple[Any, ...]] = []
            failed: set[int] = set()
            for one in batch:
                request = self.request(one, requests)
                requests.append(request)
                expected.append(self.naive.append(request, failed))
                if expected[-1][0] is not Appended:
                    failed.add(id(request))
            outcomes: Any = run(self.store.append(requests))  # type: ignore[arg-type]
            assert [seen(outcome) for outcome in outcomes] == expected
            for request, outcome in zip(requests, outcomes, strict=True):
                if isinstance(outcome, Conflict) and not any(id(basis) in failed for basis in request.decided_on):
                    versions = [newer.version for newer in outcome.newer]
                    assert versions == list(range(outcome.expected + 1, outcome.expected + 1 + len(versions)))

        def request(self, one: Drawn, earlier: list[AppendRequest]) -> AppendRequest:
            streams = []
            for stream, (off, count) in one.streams.items():
                self.drawn += count
                events = tuple(NewEvent("test.Happened.v1", f"{self.drawn}.{nth}".encode()) for nth in range(count))
                streams.append(StreamAppend(stream, max(0, self.naive.version(stream) + off), events))
            command = one.command and CommandKey(UUID(int=one.command[0]), one.command[1], b"result")
            return AppendRequest(tuple(streams), command, tuple(earlier[-back] for back in set(one.basis) if back <= len(earlier)))

        @invariant()
        def the_history_is_the_models(self) -> None:
            events: Any = run(self.store.read(-1))  # type: ignore[arg-type]
            assert [(event.stream, event.version, event.record) for event in events] == self.naive.log
            assert [event.position for event in events] == list(range(len(self.naive.log)))
            remembered: Any = run(self.store.remembered(list(self.naive.commands)))  # type: ignore[arg-type]
            assert {command: (one.request_hmac, one.result, one.position) for command, one in remembered.items()} == self.naive.commands

    return Machine


def test_the_memory_store_is_the_model() -> None:
    with asyncio.Runner() as runner:
        run_state_machine_as_test(
            machine(MemoryStore, runner.run), settings=settings(max_examples=60, stateful_step_count=20, deadline=None)
        )


def test_the_postgres_store_is_the_model(migrated_template: str, postgres: Any) -> None:
    name = f"state_machine_{os.getpid()}"
    dsn = postgres.dsn(name)
    with asyncio.Runner() as runner:

        async def connect() -> tuple[Pool, PostgresStore]:
            admin = await asyncpg.connect(postgres.dsn())
            await admin.execute(f'create database {name} template "{migrated_template}"')
            await admin.close()
            pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4)
            return pool, PostgresStore(pool)

        pool, store = runner.run(connect())

        def make() -> EventStore:
            # History is append-only; only this setting, for superusers, looks the other way.
            empty = "set session_replication_role = replica; truncate events, commands; set session_replication_role = origin"
            runner.run(pool.execute(empty))
            return store

        few = settings(max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        run_state_machine_as_test(machine(make, runner.run), settings=few)

        async def disconnect() -> None:
            await store.close()
            await pool.close()

        runner.run(disconnect())
