"""The database away, the vault away, the disk full: every route says so, nothing is half-written, and afterwards it all goes on."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres
from node.topology import VAULT_SETTINGS

from .routes import Route, routes
from .served import TODAY, Served, person, problem, served, until

DISK_MEGABYTES = 160


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small file system where we may make one, else a folder."""
    folder = Path(tempfile.mkdtemp(prefix="tongxin-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=711", "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    folder.chmod(0o711)
    yield folder
    if is_mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def servers(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Postgres]]:
    """The services' PostgreSQL on the small disk, and the vault's elsewhere."""
    elsewhere = Path(tempfile.mkdtemp(prefix="tongxin-vault-"))
    elsewhere.chmod(0o711)
    settings = {"max_wal_size": "32MB", "wal_keep_size": "0"}
    both = Postgres(disk / "services", free_port(), settings=settings), Postgres(elsewhere / "vault", free_port(), settings=VAULT_SETTINGS)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, elsewhere, ignore_errors=True)
        for server in both:
            stack.callback(server.stop, how=signal.SIGKILL)
            server.start()
        yield both


@pytest.fixture(scope="module")
def it(servers: tuple[Postgres, Postgres], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(servers[0], tmp_path_factory.mktemp("node"), vault=servers[1]) as running:
        yield replace(running, patient=False)


@pytest.fixture(scope="module")
def every(it: Served) -> list[Route]:
    return [route for route in routes(replace(it, patient=True)) if not route.template.startswith("/operation")]


def answers(it: Served, every: list[Route]) -> Counter[str]:
    """What everybody who may is told: a result, or in so many words that it is not possible now; never that something went wrong."""
    found = Counter[str]()
    for route in every:
        answer = route.send(it, route.by)
        if answer.status_code == 503 and route.template != "/readyz":
            assert int(answer.headers["retry-after"]) > 0, route
        if answer.status_code < 400 or route.template == "/readyz":
            found["fine"] += 1
        else:
            status, kind = problem(answer)
            assert status < 500 or status == 503, (route, answer.text)
            found[kind] += 1
    for service in it.urls:
        assert it.ask("GET", "/healthz", by=None, service=service).status_code == 200
        assert "tongxin_bugs_total 0.0" in it.ask("GET", "/metrics", by=None, service=service).text
    return found


def is_ready(it: Served) -> bool:
    return all(it.ask("GET", "/readyz", by=None, service=service).status_code == 200 for service in it.urls)


def test_the_vault_away(it: Served, every: list[Route], servers: tuple[Postgres, Postgres]) -> None:
    before, key = it.head(), {"idempotency-key": "while the vault is away".replace(" ", "-")}
    servers[1].stop(how=signal.SIGKILL)
    newcomer = person(300)
    for _ in range(2):
        assert problem(it.post("/members", newcomer, headers=key)) == (503, "vault-unavailable")
    assert it.head() == before
    reading = [route for route in every if route.method == "GET" or route.template in ("/directory/searches", "/members", "/rosters")]
    found = answers(it, reading)
    assert found["vault-unavailable"] + found["history-unavailable"] > 0, found
    assert it.head() == before
    assert it.ask("GET", "/readyz", by=None).status_code == 503
    servers[1].start()
    until(lambda: is_ready(it))
    once = it.post("/members", newcomer, headers=key)
    again = it.post("/members", newcomer, headers=key)
    assert (once.status_code, again.json()) == (201, once.json() | {"repeated": True})
    assert it.head() == before + 1


def test_the_database_away(it: Served, every: list[Route], servers: tuple[Postgres, Postgres]) -> None:
    before, key = it.head(), {"idempotency-key": "while-the-database-is-away"}
    newcomer = person(301)
    servers[0].stop(how=signal.SIGKILL)
    assert problem(it.post("/members", newcomer, headers=key)) == (503, "history-unavailable")
    found = answers(it, every)
    assert found["history-unavailable"] > 30, found
    assert it.ask("GET", "/readyz", by=None).status_code == 503
    servers[0].start()
    until(lambda: is_ready(it))
    assert it.head() == before
    assert it.post("/members", newcomer, headers=key).status_code == 201
    assert it.head() == before + 1


def test_the_disk_full(it: Served, every: list[Route], disk: Path) -> None:
    if not os.path.ismount(disk):
        pytest.skip("a small file system to run full can be mounted by root only, and not everywhere")
    before, somebody = it.head(), it.member(302)
    filler = disk / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(b"x" * 65_536)
                file.flush()
        except OSError:
            pass
    suspended = {"on": TODAY, "reason": "x" * 2_000}
    accepted = 0
    while (
        answer := it.post(f"/members/{somebody}/corrections", {"on": TODAY, "reason": "x" * 2_000, "phone": "13800138000"})
    ).status_code == 200:
        accepted += 1
    assert problem(answer) == (503, "history-full")
    assert it.head() == before + 1 + accepted
    answers(it, [route for route in every if route.method == "GET" or route.template in ("/rosters", "/members", "/directory/searches")])
    filler.unlink()
    until(lambda: it.post(f"/members/{somebody}/suspension", suspended).status_code == 200)
    until(lambda: is_ready(it))
    assert it.head() == before + 2 + accepted
