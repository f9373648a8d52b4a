"""A node's life from outside: one command up, everything killed at some time, one command down."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from node import status
from node.embedded.ports import free_port
from node.folder import DataFolder
from node.topology import PORTS, SERVICES

PATIENCE_SECONDS = 120

pytestmark = pytest.mark.timeout(900)  # whole nodes are started and stopped several times in a test


def tongxin(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    command = [sys.executable, "-m", "node", *arguments]
    environment = os.environ | {"TONGXIN_DATA_DIR": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def up(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Up, and it must succeed."""
    done = tongxin(folder, "up", "--detach", *arguments)
    assert done.returncode == 0, done.stderr + logs(folder)
    return done


def ready(folder: Path) -> bool:
    """Whether the node's services say so."""
    return status.of(DataFolder(folder)).ready


def relayed(folder: Path) -> int:
    """How far membership's history goes, once its topic holds all of it."""
    found: list[int] = []

    def is_there() -> bool:
        membership = status.of(DataFolder(folder)).services["membership"]
        if membership.relay_lag == 0 and membership.position is not None:
            found.append(membership.position)
        return bool(found)

    until(is_there, folder, "the topic holds membership's history")
    return found[-1]


def refuses(folder: Path) -> None:
    """A node whose history is older than what others have seen comes up and says so: at the latest when its witnesses have answered."""
    said: list[subprocess.CompletedProcess[str]] = []

    def is_held() -> bool:
        said.append(tongxin(folder, "up", "--detach"))
        return said[-1].returncode != 0

    until(is_held, folder, "membership refuses commands")
    assert said[-1].returncode == 4, said[-1].stderr
    assert "others have seen more of its history" in said[-1].stderr


def parts(folder: Path) -> dict[str, dict[str, Any]]:
    """What the supervisor sees."""
    return dict(json.loads((folder / "state.json").read_text())["parts"])


def logs(folder: Path) -> str:
    """The ends of all logs, for a failed test's report."""
    return "".join(f"\n--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in sorted(folder.glob("log/*.log")))


def kill_all(folder: Path) -> None:
    """kill -9 to every process of the node; one that ends with another is gone before its turn."""
    for process in of_this_node(folder):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def of_this_node(folder: Path) -> list[psutil.Process]:
    """Every process that has anything to do with the folder, found without the node's own means."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder))):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def until(condition: Callable[[], bool], folder: Path, what: str) -> None:
    """Wait for a condition, within bounds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {PATIENCE_SECONDS} s{logs(folder)}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def base_port() -> int:
    """As many free ports in a row as a node has."""
    return free_port(PORTS)


@pytest.fixture(scope="module")
def folder(base_port: int) -> Iterator[Path]:
    """A node that is up; afterwards nothing of it is left."""
    place = Path(tempfile.mkdtemp(prefix="tongxin-node-"))
    place.chmod(0o711)
    made = place / "data"
    try:
        up(made, "--base-port", str(base_port))
        yield made
    finally:
        tongxin(made, "down")
        kill_all(made)
        shutil.rmtree(place, ignore_errors=True)


def test_it_is_ready_and_says_where_everything_is(folder: Path, base_port: int) -> None:
    until(lambda: ready(folder), folder, "the node is ready")
    now = json.loads(tongxin(folder, "status", "--json").stdout)
    assert now["ready"] is True
    assert set(now["services"]) == {service.name for service in SERVICES}
    for service in SERVICES:
        assert now["services"][service.name]["url"] == f"http://127.0.0.1:{base_port + service.port}"
        assert {"position", "relay_lag", "projection_lag"} <= set(now["services"][service.name])


def test_secrets_are_closed_to_others(folder: Path) -> None:
    secrets = folder / "secrets"
    inside = [path for path in secrets.rglob("*") if not path.name.endswith((".keys", ".checkpoint"))]  # those are public, for auditors
    assert {path.stat().st_mode & 0o777 for path in (secrets, *inside) if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in inside if path.is_file()} == {0o600}


def test_up_on_a_running_node_changes_nothing(folder: Path) -> None:
    before = {name: part["pid"] for name, part in parts(folder).items()}
    up(folder)
    assert {name: part["pid"] for name, part in parts(folder).items()} == before
    refused = tongxin(folder, "up", "--detach", "--base-port", "9999")
    assert refused.returncode == 2
    assert "already runs" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("victim", ["membership", "assistance", "rights", "training", "postgres", "vault", "broker"])
def test_what_is_killed_comes_back(folder: Path, victim: str) -> None:
    before = parts(folder)[victim]
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: parts(folder)[victim]["restarts"] > before["restarts"], folder, f"{victim} is started again")
    until(lambda: ready(folder), folder, f"the node is ready after the death of {victim}")


def test_up_continues_after_the_supervisor_was_killed(folder: Path) -> None:
    holder = int((folder / "lock").read_text())
    os.kill(holder, signal.SIGKILL)
    until(lambda: not ready(folder), folder, "the missing supervisor is noticed")
    up(folder)
    until(lambda: ready(folder), folder, "the node is ready")
    assert int((folder / "lock").read_text()) != holder


def test_everything_killed_at_once_as_by_a_power_cut(folder: Path) -> None:
    kill_all(folder)
    up(folder)
    until(lambda: ready(folder), folder, "the node is ready")


def test_a_restored_backup_refuses_commands_until_what_the_topic_saw_is_back(folder: Path) -> None:
    taken = folder.parent / "backup"
    assert tongxin(folder, "backup", str(taken)).returncode == 0
    assert tongxin(folder, "token", "--as", "auditor", "--org", "3709").returncode == 5, "the tree is empty: nobody can be appointed"
    loaded = tongxin(folder, "up", "--detach", "--sample")
    assert "3,877 organisations, 0 refused" in loaded.stdout, loaded.stderr
    position = relayed(folder)
    assert tongxin(folder, "restore", str(taken)).returncode == 1, "a running node is not restored"
    assert tongxin(folder, "down").returncode == 0
    assert tongxin(folder, "restore", str(taken)).returncode == 0
    refuses(folder)
    back = tongxin(folder, "history", "restore", "membership")
    assert back.stdout.strip() == f"membership goes up to position {position}", back.stderr
    until(lambda: ready(folder), folder, "the node is ready with its history whole")
    assert tongxin(folder, "token", "--as", "auditor", "--org", "3709").stdout.count(".") == 2


def test_a_damaged_backup_is_refused(folder: Path) -> None:
    taken = folder.parent / "backup"
    with (taken / "vault.dump").open("r+b") as file:
        file.seek(100)
        file.write(b"x")
    done = tongxin(folder, "restore", str(taken))
    assert done.returncode == 2
    assert "damaged: vault.dump" in done.stderr


def test_down_leaves_no_process_even_without_a_supervisor(folder: Path) -> None:
    os.kill(int((folder / "lock").read_text()), signal.SIGKILL)
    done = tongxin(folder, "down")
    assert done.returncode == 0, done.stderr
    assert of_this_node(folder) == []
    assert tongxin(folder, "status").returncode == 4
    up(folder)
    assert tongxin(folder, "down").returncode == 0
    assert of_this_node(folder) == []


def test_a_taken_port_is_named(folder: Path, base_port: int) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", base_port + 1))
        taken.listen()
        done = tongxin(folder, "up", "--detach")
    assert done.returncode == 2
    assert f"port {base_port + 1} (for membership) is in use" in done.stderr
