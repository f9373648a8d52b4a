"""Other people's implementations of the C2SP formats, in a Go program beside this file, asked over pipes."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PATIENCE_SECONDS

PROGRAM = Path(__file__).parent / "independent"


class Independent:
    """The program, answering. Bytes are base64 in its JSON."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        """One question of answers.go, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ask": what, **question}, default=_as_base64).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def vectors(self) -> str:
        """The golden vectors, made anew."""
        return subprocess.run([self._binary, "vectors"], stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8").stdout

    def stop(self) -> None:
        """End the process."""
        self._process.communicate(timeout=PATIENCE_SECONDS)


def _as_base64(data: object) -> str:
    assert isinstance(data, bytes)
    return base64.b64encode(data).decode()


@pytest.fixture(scope="session")
def independent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Independent]:
    """Skips where there is no Go, or its modules cannot be had; that they do not build is a failure."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no `go`: the log's formats are compared with other implementations only where Go is installed")
    try:
        subprocess.run([go, "mod", "download"], cwd=PROGRAM, capture_output=True, text=True, timeout=120, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        why = f"{error} {str(error.stderr).strip()[-200:]}"
        pytest.skip(f"Go's modules cannot be had, so the log's formats are not compared with other implementations: {why}")
    binary = tmp_path_factory.mktemp("independent") / "independent"
    subprocess.run([go, "build", "-mod=readonly", "-buildvcs=false", "-o", binary, "."], cwd=PROGRAM, check=True)
    program = Independent(binary)
    yield program
    program.stop()
