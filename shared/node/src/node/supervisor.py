"""Keeps a node's processes running: starts them in order, starts again what dies, gives up loudly, stops in order.

It is a process of its own (`python -m node.supervisor DATA_DIR`). Killed with -9 it leaves its children behind; the next one ends
them cleanly before it starts its own, so there is never a second server on one folder.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from node import runtime
from node.folder import AlreadyRunning, DataFolder, NodeState, PartState
from node.parts import Part
from node.runtime import Planned

TICK_SECONDS = 0.2
STEADY_SECONDS = 60
"""Who lived that long has not failed to start; its count of failures begins anew."""
FAILURES_MAX = 10
DELAY_SECONDS_MAX = 15.0
LOG_BYTES_MAX = 64 * 1024 * 1024

log = logging.getLogger("supervisor")


@dataclass
class Watched:
    """A planned part and how it has fared."""

    planned: Planned
    launches: int = 0
    failures: int = 0
    launched_at: float = 0.0
    not_before: float = 0.0
    running: bool = False
    trouble: str = ""
    """Why the last launch failed, where it did."""

    @property
    def part(self) -> Part:
        return self.planned.part

    @property
    def given_up(self) -> bool:
        """Failed too often in a row; a person has to look."""
        return self.failures >= FAILURES_MAX

    @property
    def state(self) -> str:
        """For people."""
        if self.given_up:
            return "failed"
        if self.running:
            return "running"
        return "waiting" if self.launches == 0 else "restarting"


class Supervisor:
    """Watches parts, in the order of their start."""

    def __init__(self, plan: Sequence[Planned], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.watched = [Watched(planned) for planned in plan]
        self._clock = clock

    def tick(self) -> bool:
        """Look at every part once. Returns whether anything changed."""
        changed = [self._look(each) for each in self.watched]
        return any(changed)

    def stop(self) -> None:
        """Stop everything, those first that need others."""
        for each in reversed(self.watched):
            log.info("stopping %s", each.part.name)
            try:
                each.part.stop()
            except Exception:
                log.exception("%s did not stop", each.part.name)

    def _look(self, each: Watched) -> bool:
        now, name = self._clock(), each.part.name
        if each.part.pid() is not None:
            if each.failures and now - each.launched_at > STEADY_SECONDS:
                each.failures = 0
            return False
        was_running, each.running = each.running, False
        if was_running:
            each.failures += 1
            each.not_before = now + min(DELAY_SECONDS_MAX, 0.1 * 2**each.failures)
            if each.given_up:
                log.critical("%s died %d times in a row and is given up; see %s", name, each.failures, each.part.log)
            else:
                log.warning("%s died; starting it again in %.1f s", name, each.not_before - now)
            return True
        if each.given_up or now < each.not_before or not all(need.ready() for need in each.planned.needs):
            return False
        try:
            if each.planned.prepare is not None:
                each.planned.prepare()
            each.part.launch()
            each.trouble = ""
            log.info("started %s", name)
        except Exception as error:
            each.trouble = str(error) or type(error).__name__
            log.exception("%s could not be started", name)
        # A launch that failed counts as a death: the next look sees it so.
        each.running, each.launched_at = True, now
        each.launches += 1
        return True


def run(root: Path) -> int:
    """Run a node until told to stop (SIGTERM, SIGINT). Returns the exit code."""
    folder = DataFolder(root)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        with folder.lock():
            runtime.sweep(folder)
            supervisor = Supervisor(runtime.plan(folder))
            next_trim = 0.0
            while not stopping.wait(TICK_SECONDS):
                if supervisor.tick():
                    folder.save_state(_state(supervisor))
                if time.monotonic() > next_trim:
                    next_trim = time.monotonic() + 60
                    _trim(folder.logs)
            supervisor.stop()
    except AlreadyRunning as error:
        log.warning("%s", error)
        return error.exit_code
    return 0


def _state(supervisor: Supervisor) -> NodeState:
    return NodeState(
        supervisor=os.getpid(),
        parts={
            each.part.name: PartState(
                state=each.state,
                pid=each.part.pid(),
                port=each.part.port,
                restarts=max(0, each.launches - 1),
                log=str(each.part.log),
                trouble=each.trouble,
            )
            for each in supervisor.watched
        },
    )


def _trim(logs: Path) -> None:
    """Keep one older file beside each log; the writers hold theirs open for appending, so it is copied and emptied."""
    for path in logs.glob("*.log"):
        if path.stat().st_size > LOG_BYTES_MAX:
            path.with_suffix(".log.1").write_bytes(path.read_bytes())
            with path.open("r+b") as file:
                file.truncate(0)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
