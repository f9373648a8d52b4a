"""The data folder: everything a node keeps, in one place, and the lock that says who runs it.

node.json       base port and organisation, written at first start
state.json      what the supervisor sees: process ids, restarts, log files
lock            held by the supervisor, with its process id
secrets/        master key, service keys, the development issuer's key; readable by the owner alone
postgres/ vault/ broker/    the embedded servers
log/            one file per process
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from node.embedded.postgres import account, closed_parent
from node.errors import NodeError, UsageError
from node.topology import BASE_PORT, Ports, ServiceSpec


class NodeConfig(BaseModel):
    """What is settled at first start."""

    model_config = ConfigDict(frozen=True)

    base_port: int = BASE_PORT
    organisation: str = "3709"

    addresses: dict[str, str] = {}
    """Where each service is, if other hands than our supervisor's run them (containers); without, on loopback after the base port."""

    bank_url: str | None = None
    """Where assistance hands payment files in; None: nowhere."""

    @property
    def ports(self) -> Ports:
        return Ports(self.base_port)

    def url(self, service: ServiceSpec) -> str:
        """A service's address."""
        return self.addresses.get(service.name) or self.ports.url(service)


class PartState(BaseModel):
    """One process, as the supervisor sees it."""

    state: str
    pid: int | None
    port: int
    restarts: int
    log: str
    trouble: str = ""


class NodeState(BaseModel):
    """What the supervisor sees; a cache for people, nothing is decided on it."""

    supervisor: int
    parts: dict[str, PartState]


class AlreadyRunning(NodeError):
    """Somebody else's supervisor holds the data folder."""


class DataFolder:
    """Paths and small files of one node."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.secrets = self.root / "secrets"
        self.logs = self.root / "log"
        self.programs = self.root / "programs"
        self.broker = self.root / "broker"

    def create(self) -> None:
        """Make the folder. Others may enter it (PostgreSQL's own user must), but not list it; what is not PostgreSQL's is closed to them.

        Raises UsageError where PostgreSQL's user could not get there; the folders above are not ours to change.
        """
        uid_gid = account()
        barred = closed_parent(self.root.parent, uid_gid) if uid_gid else None
        if barred is not None:
            raise UsageError(
                f"the data folder {self.root} lies below {barred}, which PostgreSQL's own user may not enter",
                "choose another place, e.g. --data-dir /var/lib/tongxin",
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o711)
            for closed in (self.secrets, self.logs, self.broker):
                closed.mkdir(exist_ok=True)
                closed.chmod(0o700)
        except OSError as error:
            raise UsageError(f"the data folder {self.root} cannot be made: {error.strerror}", "choose another with --data-dir") from error

    def config(self) -> NodeConfig:
        """What was settled at first start. Raises UsageError where there is no node yet."""
        try:
            return NodeConfig.model_validate_json((self.root / "node.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"there is no node in {self.root}", "start one with `tongxin up`, or name its --data-dir") from None
        except ValidationError as error:
            raise UsageError(f"{self.root}/node.json is damaged", "a backup of this node holds a copy of it") from error

    def supervised(self) -> NodeConfig:
        """The same, of a node whose processes are ours to start, stop and copy. Raises UsageError where they are containers."""
        config = self.config()
        if config.addresses:
            raise UsageError("this node runs in containers", "use `docker compose up`, `down` and `ps`; README.md says how to back it up")
        return config

    def runs(self) -> bool:
        """Whether anybody runs the node; of containers nobody here could say otherwise."""
        return bool(self.config().addresses) or self.holder() is not None

    def exists(self) -> bool:
        """Whether a node was started here before."""
        return (self.root / "node.json").exists()

    def save_config(self, config: NodeConfig) -> None:
        """Settle it."""
        self._write("node.json", config.model_dump())

    def state(self) -> NodeState | None:
        """What the supervisor wrote last, or None."""
        try:
            return NodeState.model_validate_json((self.root / "state.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def save_state(self, state: NodeState) -> None:
        """Tell others what the supervisor sees."""
        self._write("state.json", state.model_dump())

    def forget_state(self) -> None:
        """An earlier life's state says nothing about the next one."""
        (self.root / "state.json").unlink(missing_ok=True)

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.logs / f"{part}.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the data folder. Raises AlreadyRunning. Ends with the process, however that ends."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _locked(descriptor):
                raise AlreadyRunning(f"a node already runs on {self.root}", "`tongxin status` shows it, `tongxin down` stops it")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process that holds the folder, or None."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.pread(descriptor, 20, 0) or b"0") or None
        finally:
            os.close(descriptor)
        return None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        making = self.root / f"{name}.{os.getpid()}"
        making.write_text(json.dumps(content, indent=2) + "\n")
        making.replace(self.root / name)


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had; tried for a second, since `holder` takes it for a moment to look."""
    deadline = time.monotonic() + 1
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def default_root() -> Path:
    """`.tongxin` here; where PostgreSQL's user could not enter that (root's home, say), a folder of this place's own in /var/lib."""
    here = Path.cwd() / ".tongxin"
    uid_gid = account()
    if uid_gid and closed_parent(here, uid_gid) is not None:
        return Path("/var/lib/tongxin") / hashlib.sha256(str(here).encode()).hexdigest()[:12]
    return here
