"""Embedded brokers that speak Kafka's protocol: the single binary of the wheel `noida-db` (the default), and Apache Kafka in KRaft mode
from jars that Maven fetches (deploy/kafka/pom.xml). Both keep everything in one folder and survive kill -9, noida-db with the loss of the
last second or two of what it had acknowledged (DESIGN 6)."""

import base64
import os
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from node.embedded.ports import free_port

CONNECT_SECONDS = 2


class BrokerFailed(Exception):
    """An embedded broker did not do what it was told; the sentence says what and where its log is."""


class _Process(ABC):
    """One broker process: `pid`, `log` and `data/` in its folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """For Kafka clients."""
        return f"127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs; prepares what it needs in its folder."""

    def start(self, *, timeout_seconds: float = 60) -> None:
        """Start and wait until it answers Kafka requests. Does nothing where it runs already."""
        if self.pid() is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(  # noqa: S603 - our own words
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.folder
            )
        (self.folder / "pid").write_text(str(process.pid))
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BrokerFailed(f"the broker stopped at once (exit {process.returncode}); see {self.folder / 'log'}")
            if answers(self.port):
                return
            time.sleep(0.05)
        raise BrokerFailed(f"the broker does not answer after {timeout_seconds:.0f} s; see {self.folder / 'log'}")

    def stop(self, *, how: signal.Signals = signal.SIGTERM, timeout_seconds: float = 60) -> None:
        """Stop: SIGTERM saves everything, SIGKILL is a crash."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.pid() is None:
                if self._process is not None:
                    self._process.wait()
                return
            time.sleep(0.02)
        raise BrokerFailed(f"the broker (process {pid}) did not stop within {timeout_seconds:.0f} s")

    def pid(self) -> int | None:
        """The running broker's process id, or None."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ValueError, ProcessLookupError, IndexError):
            return None
        return pid if str(self.folder).encode() in command and state != "Z" else None


class NoidaBroker(_Process):
    """noida-db with nothing but its Kafka service."""

    def command(self) -> Sequence[str]:
        spec = find_spec("noida_db")
        if spec is None or spec.origin is None:
            raise BrokerFailed("the wheel noida-db is not installed")
        binary = Path(spec.origin).parent / "noida-db"
        return [str(binary), "start", "--only", "kafka", "--kafka-port", str(self.port), "--data-dir", str(self.folder / "data")]


class ApacheKafka(_Process):
    """Apache Kafka, one node that is broker and controller. Needs Java 17 or newer."""

    def __init__(self, folder: Path, port: int, *, jars: Path | None = None) -> None:
        super().__init__(folder, port)
        self._jars = jars

    def command(self) -> Sequence[str]:
        settings = self.folder / "server.properties"
        data = self.folder / "data"
        controller = free_port()
        settings.write_text(
            "\n".join(
                [
                    "process.roles=broker,controller",
                    "node.id=1",
                    f"controller.quorum.voters=1@127.0.0.1:{controller}",
                    f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
                    f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
                    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                    "controller.listener.names=CONTROLLER",
                    f"log.dirs={data}",
                    "auto.create.topics.enable=false",
                    "offsets.topic.replication.factor=1",
                    "",
                ]
            )
        )
        java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars or jars()}/*"]
        if not (data / "meta.properties").exists():
            cluster = cluster_id(secrets.token_bytes(15))
            done = subprocess.run(  # noqa: S603 - our own words
                [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise BrokerFailed(f"formatting {data} failed: {done.stderr.strip()[-400:]}")
        return [*java, "kafka.Kafka", str(settings)]


def cluster_id(random: bytes) -> str:
    """A cluster's id of 15 random bytes in Kafka's form: a 16-byte UUID in URL-safe base64, 22 characters.

    Its first byte is zero, so that it never begins with "-", which Kafka's own tools would read as an option (one in 64 would).
    """
    return base64.urlsafe_b64encode(b"\0" + random).decode().rstrip("=")


def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time. Raises BrokerFailed without a checkout, Maven or a repository."""
    pom = next((up / "deploy/kafka/pom.xml" for up in Path(__file__).parents if (up / "deploy/kafka/pom.xml").exists()), None)
    if pom is None:
        raise BrokerFailed("deploy/kafka/pom.xml is not here: Apache Kafka's jars are fetched in a checkout only")
    folder = pom.parent / "target" / "dependency"
    if not folder.exists():
        command = ["mvn", "--quiet", "--batch-mode", "-f", str(pom), "dependency:copy-dependencies"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        except FileNotFoundError as error:
            raise BrokerFailed("Maven is not installed; it fetches Apache Kafka's jars") from error
        if done.returncode != 0:
            raise BrokerFailed(f"Maven could not fetch Apache Kafka: {(done.stdout + done.stderr).strip()[-400:]}")
    return folder


def answers(port: int) -> bool:
    """Whether a Kafka broker on this port answers an ApiVersions request (version 0)."""
    client = b"tongxin"
    request = b"\x00\x12\x00\x00" + b"\x00\x00\x00\x01" + len(client).to_bytes(2, "big") + client
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            return len(connection.recv(8)) == 8
    except OSError:
        return False
