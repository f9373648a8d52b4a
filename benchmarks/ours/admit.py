"""Admitting members over HTTP: token, appointment, identity, keys, seal, durable append, and all that a running service does beside it.

python -m benchmarks.ours.admit DSN VAULT_DSN BOOTSTRAP REQUESTS
"""

import sys
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import orjson
import uvloop
from contracts.values import resident_check

from benchmarks.client import load
from benchmarks.load import report
from benchmarks.ours.membership_node import UNION, prepare


def identity(number: int) -> str:
    """The number-th valid identity number of one county (GB 11643)."""
    born = date(1960, 1, 1) + timedelta(days=number % 15_000)
    body = f"370911{born:%Y%m%d}{number // 15_000:03d}"
    return body + resident_check(body)


def main(dsn: str, vault_dsn: str, bootstrap: str, requests: int) -> None:
    """Prepare a node, serve it, load it."""
    with tempfile.TemporaryDirectory() as folder:
        node = uvloop.run(prepare(dsn, vault_dsn, bootstrap, Path(folder)))
        token = node.token()

        def make(number: int) -> tuple[str, Mapping[str, str], bytes]:
            body = {
                "organisation": UNION,
                "name": "欧阳娜娜",
                "document": {"kind": "resident", "number": identity(number)},
                "phone": f"138{number:08d}",
                "on": "2026-03-02",
            }
            return "/members", {"Authorization": f"Bearer {token}", "Idempotency-Key": f"bench-{number}"}, orjson.dumps(body)

        with node.outside() as port:
            report(**load(port, requests, make))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
