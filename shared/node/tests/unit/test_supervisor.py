from pathlib import Path

from node.runtime import Once, Planned
from node.supervisor import DELAY_SECONDS_MAX, FAILURES_MAX, STEADY_SECONDS, Supervisor

ORDER: list[str] = []


class FakePart:
    """A part that lives and dies on command."""

    port, log = 1, Path("log")

    def __init__(self, name: str, *, launches_fail: bool = False) -> None:
        self.name = name
        self.alive = self.is_ready = False
        self.launches_fail = launches_fail
        self.launches = 0
        self.stopped: list[str] = ORDER

    def launch(self) -> None:
        self.launches += 1
        if self.launches_fail:
            raise OSError("no such program")
        self.alive = self.is_ready = True

    def pid(self) -> int | None:
        return 4242 if self.alive else None

    def ready(self) -> bool:
        return self.is_ready

    def stop(self) -> None:
        self.alive = False
        self.stopped.append(self.name)


class Time:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_needed_comes_first() -> None:
    store, service = FakePart("store"), FakePart("service")
    supervisor = Supervisor([Planned(service, needs=(store,)), Planned(store)], clock=Time())
    supervisor.tick()
    assert (store.launches, service.launches) == (1, 0)
    supervisor.tick()
    assert service.launches == 1


def test_preparation_is_done_once_and_again_if_it_failed() -> None:
    tries: list[int] = []

    def prepare() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")

    time = Time()
    step = Once(prepare)
    parts = [FakePart("one"), FakePart("two")]
    supervisor = Supervisor([Planned(part, prepare=step) for part in parts], clock=time)
    for _ in range(5):
        supervisor.tick()
        time.now += 1
    assert len(tries) == 2
    assert [part.launches for part in parts] == [1, 1]


def test_the_dead_are_started_again_and_the_delay_grows() -> None:
    time, part = Time(), FakePart("service")
    supervisor = Supervisor([Planned(part)], clock=time)
    delays = []
    for launch in range(1, FAILURES_MAX):
        while part.launches < launch:
            supervisor.tick()
            time.now += 0.05
        part.alive = False
        supervisor.tick()
        delays.append(supervisor.watched[0].not_before - time.now)
    assert delays == sorted(delays)
    assert delays[0] < 0.5
    assert delays[-1] == DELAY_SECONDS_MAX


def test_who_dies_again_and_again_is_given_up() -> None:
    time, part = Time(), FakePart("service", launches_fail=True)
    supervisor = Supervisor([Planned(part)], clock=time)
    for _ in range(100):
        supervisor.tick()
        time.now += DELAY_SECONDS_MAX
    assert part.launches == FAILURES_MAX
    assert supervisor.watched[0].state == "failed"


def test_a_steady_life_forgives_earlier_deaths() -> None:
    time, part = Time(), FakePart("service")
    supervisor = Supervisor([Planned(part)], clock=time)
    for _ in range(3 * FAILURES_MAX):
        part.alive = False
        supervisor.tick()
        time.now += DELAY_SECONDS_MAX
        supervisor.tick()
        time.now += STEADY_SECONDS + 1
        supervisor.tick()
    assert supervisor.watched[0].state == "running"


def test_what_needs_others_is_stopped_before_them() -> None:
    ORDER.clear()
    store, service = FakePart("store"), FakePart("service")
    supervisor = Supervisor([Planned(store), Planned(service, needs=(store,))], clock=Time())
    supervisor.tick()
    supervisor.stop()
    assert ORDER == ["service", "store"]
