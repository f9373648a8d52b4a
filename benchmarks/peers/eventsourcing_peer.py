"""The PyPI library `eventsourcing`: appending, reading and a projection with a PostgreSQL view.

python -m benchmarks.peers.eventsourcing_peer HOST PORT USER PASSWORD DATABASE append|append-functions|read|project THREADS EVENTS
"""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from benchmarks.load import payload, quantile, report


class Thing(Aggregate):
    """An aggregate opened by one event of about 500 bytes."""

    @event("Opened")
    def __init__(self, text: str) -> None:
        self.text = text


class Things(Application[Any]):
    """The application whose history is measured."""


class View(PostgresTrackingRecorder):
    """A directory row per aggregate, written together with the tracking position."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.sql_create_statements.append(
            SQL("create table if not exists {0} (id uuid primary key, text text)").format(Identifier("things_view"))
        )

    def add(self, id: Any, text: str, tracking: Tracking) -> None:
        """One row and the position, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute("insert into things_view values (%s, %s)", (id, text))


class ThingsProjection(Projection[View]):
    """Projects every opened thing."""

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.add(domain_event.originator_id, domain_event.text, tracking)


def environment(host: str, port: str, user: str, password: str, database: str, how: str) -> dict[str, str]:
    """The library's own settings."""
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_HOST": host,
        "POSTGRES_PORT": port,
        "POSTGRES_USER": user,
        "POSTGRES_PASSWORD": password,
        "POSTGRES_DBNAME": database,
        "POSTGRES_POOL_SIZE": "32",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y" if how == "append-functions" else "n",
    }


def append(things: Things, threads: int, events: int) -> None:
    """New aggregates, saved one by one from N threads."""
    text = payload()["text"]
    latencies: list[float] = []
    numbers: Iterator[int] = iter(range(events))

    def work() -> None:
        for _ in numbers:
            began = time.perf_counter()
            things.save(Thing(text=text))
            latencies.append(time.perf_counter() - began)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    report(rate=len(latencies) / seconds, p50_ms=quantile(latencies, 0.5) * 1000, p99_ms=quantile(latencies, 0.99) * 1000, seconds=seconds)


def read(things: Things, events: int) -> None:
    """Select the notifications and map them to domain events."""
    _fill(things, events)
    began = time.perf_counter()
    start, count = 1, 0
    while True:
        found = things.recorder.select_notifications(start=start, limit=1_000)
        if not found:
            break
        for notification in found:
            things.mapper.to_domain_event(notification)
        count += len(found)
        start = found[-1].id + 1
    seconds = time.perf_counter() - began
    report(rate=count / seconds, events=count, seconds=seconds)


def project(env: dict[str, str], things: Things, events: int) -> None:
    """Run the projection over the whole history."""
    _fill(things, events)
    newest = things.recorder.max_notification_id()
    began = time.perf_counter()
    with ProjectionRunner(application_class=Things, projection_class=ThingsProjection, view_class=View, env=env) as runner:
        runner.wait(newest, timeout=600)
    seconds = time.perf_counter() - began
    report(rate=events / seconds, events=events, seconds=seconds)


def _fill(things: Things, events: int) -> None:
    text = payload()["text"]
    for start in range(0, events, 500):
        things.save(*(Thing(text=text) for _ in range(min(500, events - start))))


def main(arguments: list[str]) -> None:
    """Run one measurement."""
    how, threads, events = arguments[5], int(arguments[6]), int(arguments[7])
    host, port, user, password, database = arguments[:5]
    env = environment(host, port, user, password, database, how)
    things = Things(env=env)
    things.save(Thing(text=f"warm {uuid4()}"))
    if how.startswith("append"):
        append(things, threads, events)
    elif how == "read":
        read(things, events)
    else:
        project(env, things, events)
    things.close()


if __name__ == "__main__":
    main(sys.argv[1:])
