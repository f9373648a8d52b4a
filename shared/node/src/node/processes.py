"""The processes of a node: found by a mark in their environment, which outlives the supervisor that started them.

A recorded process id can be lost (killed between start and record) or belong to somebody else after a reboot; the mark cannot.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

MARK = "TONGXIN_PART"
"""Environment variable `<data folder>:<part>` of every process that the supervisor starts, except PostgreSQL (it has postmaster.pid)."""


def spawn(folder: Path, part: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a part of the node in its own session, its output appended to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own programs
            command,
            env={**os.environ, **environment, MARK: mark(folder, part)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def mark(folder: Path, part: str) -> str:
    """The mark of one part of one node."""
    return f"{folder.resolve()}:{part}"


def marked(folder: Path) -> dict[str, list[psutil.Process]]:
    """The living processes of a node's parts, by part, whoever started them."""
    prefix = mark(folder, "")
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            value = process.environ().get(MARK, "")
            if value.startswith(prefix) and process.status() != psutil.STATUS_ZOMBIE:
                found.setdefault(value.removeprefix(prefix), []).append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            continue
    return found


def stop(processes: Sequence[psutil.Process], *, grace_seconds: float) -> list[int]:
    """Ask them to end (SIGTERM), wait, then kill what is left. Returns the ids that had to be killed."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=10)
    return [process.pid for process in stubborn]


def wait_until_gone(pid: int, *, timeout_seconds: float) -> bool:
    """Whether the process ended within the time."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        time.sleep(0.05)
    return not alive(pid)


def alive(pid: int) -> bool:
    """Whether there is such a process and it has not ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, what: signal.Signals) -> None:
    try:
        process.send_signal(what)
    except psutil.NoSuchProcess:
        return
