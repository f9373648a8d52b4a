"""`up` and `down` as the command line asks for them: the supervisor is started or told to stop, and waited for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from node import runtime, status
from node.embedded.ports import is_taken
from node.embedded.postgres import PostgresFailed
from node.errors import NodeError, NotReady, UsageError
from node.folder import DataFolder, NodeConfig
from node.processes import wait_until_gone
from node.topology import Ports

READY_SECONDS_MAX = 600
"""PostgreSQL's recovery after a crash under load can take minutes; a part that is given up ends the wait at once."""


def settle(folder: DataFolder, base_port: int | None, organisation: str | None, addresses: dict[str, str] | None = None) -> NodeConfig:
    """The node's configuration: what was settled before, else what is asked for now. Ports and addresses may change between two lives.

    Raises UsageError where the organisation differs from the one that the node was started for, or containers run what we are to run.
    """
    config = asked_for(folder, base_port, organisation, addresses)
    if not folder.exists() or config != folder.config():
        folder.save_config(config)
    return config


def asked_for(folder: DataFolder, base_port: int | None, organisation: str | None, addresses: dict[str, str] | None = None) -> NodeConfig:
    """The configuration that `settle` would settle. Raises UsageError as it does."""
    before = None
    if folder.exists():
        before = folder.supervised() if addresses is None else folder.config()
    if before is not None and organisation not in (None, before.organisation):
        raise UsageError(
            f"this node was started for organisation {before.organisation}", "choose another --data-dir for another organisation"
        )
    given = {"base_port": base_port, "organisation": organisation, "addresses": addresses}
    return (before or NodeConfig()).model_copy(update={name: value for name, value in given.items() if value is not None})


def start(folder: DataFolder, base_port: int | None, organisation: str | None) -> subprocess.Popen[bytes] | None:
    """Start the supervisor in the background; None where the node runs already.

    Raises UsageError where a port is taken, or the node runs on other ports than asked for.
    """
    folder.create()
    config = asked_for(folder, base_port, organisation)
    if folder.holder() is not None:
        running = folder.config()
        if config.base_port != running.base_port:
            raise UsageError(f"the node already runs, on base port {running.base_port}", "stop it first with `tongxin down`")
        return None
    folder.forget_state()
    if folder.exists():
        runtime.sweep(folder)
    # Ports that cannot be had are not settled: the next `up` would try them again.
    check_ports(config.ports)
    settle(folder, base_port, organisation)
    with folder.log("supervisor").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "node.supervisor", str(folder.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.root,
            start_new_session=True,
        )


def wait_ready(folder: DataFolder, supervisor: subprocess.Popen[bytes] | None, report: Callable[[str], None]) -> status.NodeStatus:
    """Wait until every service says it is ready, telling what is waited for. Raises NotReady with the place to look."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        now = status.of(folder)
        if now.ready:
            return now
        held = [name for name, service in now.services.items() if service.waits_for == ["guard"]]
        if held:
            raise NotReady(
                f"the node runs, but {', '.join(held)} refuses commands: others have seen more of its history than it holds",
                "`tongxin history restore SERVICE` takes the missing records back from the topic",
            )
        if halted := [view for service in now.services.values() for view in service.halted]:
            raise NotReady(
                f"the node runs, but {', '.join(halted)} halted: views that do not go on by themselves",
                "the service's log says why; `tongxin history lost-keys SERVICE` looks for keys that an older vault does not have",
            )
        state = folder.state()
        failed = next(((name, part) for name, part in state.parts.items() if part.state == "failed"), None) if state else None
        if failed is not None:
            name, part = failed
            why, where = (part.trouble, folder.log("supervisor")) if part.trouble else (last_line(part.log), part.log)
            raise NotReady(f"{name} does not start: {why}", f"read {where}, then `tongxin down` and `tongxin up`")
        if supervisor is not None and supervisor.poll() is not None and folder.holder() is None:
            raise NotReady("the supervisor ended", f"read {folder.log('supervisor')}")
        report(", ".join(name for name, service in now.services.items() if not service.ready))
        time.sleep(0.2)
    raise NotReady(f"not ready after {READY_SECONDS_MAX} s", f"see `tongxin status` and the logs in {folder.logs}")


def stop(folder: DataFolder) -> list[str]:
    """Stop the node in order; also what a killed supervisor left behind. Returns what was found without a supervisor."""
    holder = folder.holder()
    if holder is not None:
        os.kill(holder, signal.SIGTERM)
        if not wait_until_gone(holder, timeout_seconds=240):
            raise NodeError(f"the supervisor (process {holder}) does not stop", f"read {folder.log('supervisor')}")
    with folder.lock():
        try:
            return runtime.sweep(folder)
        except PostgresFailed as error:
            raise NodeError(str(error), "run `tongxin down` again") from error


def check_ports(ports: Ports) -> None:
    """Raises UsageError where somebody else listens on a port of the node."""
    for name, port in ports.all().items():
        if is_taken(port):
            raise UsageError(f"port {port} (for {name}) is in use by another program", "choose another --base-port")


def last_line(path: str) -> str:
    """The line of a log's end that says why: the last that PostgreSQL calls fatal, else the last that says something."""
    try:
        with open(path, errors="replace") as file:
            lines = [line.strip() for line in file.readlines()[-50:] if line.strip()]
    except FileNotFoundError:
        return "no log"
    fatal = [line for line in lines if " FATAL: " in line or " PANIC: " in line]
    return (fatal or lines or ["an empty log"])[-1][-300:]
