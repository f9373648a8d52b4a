"""The node of docker-compose.yml, from outside: it comes up, works, survives what containers go through, and holds no secret in its image.

Needs Docker with compose 2, and time to build the image: asked for with `make test BACKEND=docker`.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts.values import resident_check
from node.embedded.ports import free_port
from node.topology import BASE_PORT, SERVICES

ROOT = Path(__file__).parents[2]
UNION = "370902001001"
PATIENCE_SECONDS = 300

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.environ.get("TONGXIN_TEST_BACKEND") != "docker", reason="containers are run by `make test BACKEND=docker` only"),
]


def docker(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run docker, and it must succeed."""
    done = subprocess.run(
        ["docker", *arguments], cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Containers:
    """One project of compose, on ports of its own."""

    project: str
    ports: dict[str, int] = field(default_factory=lambda: {service.name: free_port() for service in SERVICES})

    def compose(self, *arguments: str) -> str:
        """`docker compose …`; what it printed."""
        ports = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return docker("compose", "--project-name", self.project, *arguments, environment=ports)

    def tongxin(self, *arguments: str) -> str:
        """The node's command line."""
        return self.compose("run", "--rm", "--no-TTY", "tongxin", *arguments)

    def up(self) -> None:
        """Up, and every container well."""
        self.compose("up", "--wait", "--wait-timeout", "600")

    def of(self, part: str) -> str:
        """A part's container."""
        return self.compose("ps", "--all", "--quiet", part).strip()

    def inspected(self, part: str) -> dict[str, Any]:
        """What Docker knows of it."""
        return dict(json.loads(docker("inspect", self.of(part)))[0])

    def ask(self, service: str, path: str, *, role: str = "clerk", body: Any = None) -> httpx.Response:
        """A request by somebody with a role in the union; with a body, a command."""
        headers = {"authorization": f"Bearer {self.tongxin('token', '--as', role, '--org', UNION).strip()}"}
        url = f"http://127.0.0.1:{self.ports[service]}/{path}"
        if body is None:
            return httpx.get(url, headers=headers, timeout=30)
        return httpx.post(url, json=body, headers=headers | {"idempotency-key": secrets.token_hex(8)}, timeout=30)

    def ready(self, service: str) -> dict[str, Any]:
        """What a service says of itself; empty where it does not answer."""
        with suppress(httpx.HTTPError, ValueError):
            return dict(httpx.get(f"http://127.0.0.1:{self.ports[service]}/readyz", timeout=5).json())
        return {}

    def admit(self, order: int) -> str:
        """Somebody joins; the person's id."""
        first17 = f"37090219800101{order:03d}"
        document = {"kind": "resident", "number": first17 + resident_check(first17)}
        body = {"organisation": UNION, "on": "2024-05-01", "name": "王小明", "document": document, "phone": f"13800138{order:03d}"}
        answer = self.ask("membership", "members", body=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["stream"].removeprefix("member-"))

    def eligible(self, person: str) -> bool:
        """Whether assistance knows the person as a member: the event went through Kafka, or came from the source."""
        answer = self.ask("assistance", f"people/{person}/eligibility")
        return answer.status_code == 200 and bool(answer.json()["eligible"])

    def relayed(self) -> bool:
        """Whether Kafka has acknowledged all that membership wrote."""
        said = self.ready("membership")
        return bool(said) and said["relay_lag"] == 0 and said["components"]["relay"]["detail"]["trouble"] is None


def until(condition: Callable[[], bool], node: Containers, what: str) -> None:
    """Wait for a condition, within bounds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {PATIENCE_SECONDS} s\n{node.compose('logs', '--tail', '20')}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def node() -> Iterator[Containers]:
    """A node in containers, with Tai'an's tree; afterwards nothing of it is left but the image."""
    made = Containers(f"tongxin-test-{os.getpid()}")
    try:
        made.compose("build")
        made.up()
        made.tongxin("import", "organisations", "--sample")
        yield made
    finally:
        made.compose("--profile", "command", "down", "--volumes", "--timeout", "30")


def test_a_member_is_admitted_and_the_event_reaches_assistance_through_kafka(node: Containers) -> None:
    until(node.relayed, node, "Kafka has everything")
    person = node.admit(1)
    until(lambda: node.eligible(person), node, "assistance knows the member")
    until(node.relayed, node, "Kafka has the member")


def test_the_command_line_sees_every_service(node: Containers) -> None:
    said = json.loads(node.tongxin("status", "--json"))
    assert {name: service["url"] for name, service in said["services"].items()} == {
        service.name: f"http://{service.name}:{BASE_PORT + service.port}" for service in SERVICES
    }
    assert said["ready"] is True
    assert said["services"]["membership"]["position"] > 3_877


@pytest.mark.parametrize("part", ["membership", "assistance", "kafka", "postgres", "vault"])
def test_what_crashes_comes_back_by_itself(node: Containers, part: str) -> None:
    before = node.inspected(part)
    # `docker kill` would be an operator's stop, after which Docker starts nothing again. A crash is a signal from outside the container.
    kill = f"import os; os.kill({before['State']['Pid']}, 9)"
    docker("run", "--rm", "--pid=host", "--user=root", "tongxin", "python", "-c", kill)
    until(lambda: node.inspected(part)["RestartCount"] > before["RestartCount"], node, f"{part} starts again")
    until(lambda: all(node.ready(service.name).get("ready") for service in SERVICES), node, "every service is ready")
    person = node.admit(100 + before["RestartCount"] + 10 * len(part))
    until(lambda: node.eligible(person) and node.relayed(), node, "assistance and Kafka have the next member")


def test_data_outlive_containers(node: Containers) -> None:
    person = node.admit(2)
    until(lambda: node.eligible(person) and node.relayed(), node, "assistance and Kafka have the member")
    positions = {name: service["position"] for name, service in json.loads(node.tongxin("status", "--json"))["services"].items()}
    node.compose("kill")
    node.up()
    node.compose("down", "--timeout", "60")
    node.up()
    said = json.loads(node.tongxin("status", "--json"))
    assert {name: service["position"] for name, service in said["services"].items()} == positions
    assert node.eligible(person)
    assert node.admit(3)


def test_a_stop_is_orderly(node: Containers) -> None:
    node.compose("stop", "--timeout", "60")
    codes = {part: node.inspected(part)["State"]["ExitCode"] for part in ("postgres", "vault", "kafka", *(each.name for each in SERVICES))}
    node.up()
    assert {part: code for part, code in codes.items() if code not in (0, 143)} == {}


def test_nothing_secret_is_in_the_image_or_in_what_docker_shows(node: Containers) -> None:
    kept = docker(
        "run", "--rm", "--user=root", "--volume", f"{node.project}_node:/kept:ro", "tongxin", "sh", "-c", "cat /kept/secrets/*.pgpass"
    )
    passwords = [line.rsplit(":", 1)[1] for line in kept.split()]
    assert len(passwords) == len(SERVICES)
    shown = docker("image", "history", "--no-trunc", "tongxin") + "".join(json.dumps(node.inspected(service.name)) for service in SERVICES)
    assert [password for password in passwords if password in shown] == []
    assert docker("run", "--rm", "tongxin", "id", "--user").strip() != "0"
    found = "ls -A /var/lib/tongxin; find / -xdev -name '*.pgpass' -o -xdev -name 'master.key'"
    assert docker("run", "--rm", "--user=root", "tongxin", "sh", "-c", found) == ""
    for service in SERVICES:
        assert node.inspected(service.name)["HostConfig"]["CapDrop"] == ["ALL"]
