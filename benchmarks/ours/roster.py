"""A roster over HTTP: uploaded, checked (dry run), applied, and every member to be found in the directory.

python -m benchmarks.ours.roster DSN VAULT_DSN BOOTSTRAP ROWS
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvloop
from membership.rosters.sample import write_sample

from benchmarks.load import report
from benchmarks.ours.membership_node import COUNTY, UNION, MembershipNode, prepare

WAIT_SECONDS = 600


def _until(client: httpx.Client, roster: str, stage: str) -> dict[str, Any]:
    began = time.monotonic()
    while time.monotonic() - began < WAIT_SECONDS:
        view: dict[str, Any] = client.get(f"/rosters/{roster}").raise_for_status().json()
        if view["stage"] == stage:
            return view
        if view["stage"] in ("failed", "refused"):
            raise AssertionError(view)
        time.sleep(0.05)
    raise AssertionError(f"not {stage} after {WAIT_SECONDS} s")


def _searchable(client: httpx.Client, position: int) -> None:
    began = time.monotonic()
    while time.monotonic() - began < WAIT_SECONDS:
        if client.get("/directory", params={"org": COUNTY, "limit": 1, "at_least": f"membership:{position}"}).status_code == 200:
            return
    raise AssertionError("the directory did not catch up")


async def _last_position(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    position: int = await connection.fetchval("select max(position) from events")
    await connection.close()
    return position


def _measure(node: MembershipNode, dsn: str, file: Path) -> None:
    headers = {"Authorization": f"Bearer {node.token()}", "Idempotency-Key": "roster"}
    with node.outside() as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=WAIT_SECONDS) as client:
        while True:
            try:
                client.get("/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        began = time.perf_counter()
        sent = client.post("/rosters", params={"org": UNION}, content=file.read_bytes(), headers={"Content-Type": "text/csv"})
        roster = sent.raise_for_status().json()["roster"]
        _until(client, roster, "checked")
        checked = time.perf_counter()
        client.post(f"/rosters/{roster}/application", headers={"Idempotency-Key": "apply"}).raise_for_status()
        counts = _until(client, roster, "applied")["counts"]
        applied = time.perf_counter()
        _searchable(client, uvloop.run(_last_position(dsn)))
        done = time.perf_counter()
        report(
            rate=counts["joined"] / (done - began),
            seconds=done - began,
            dry_run_seconds=checked - began,
            apply_seconds=applied - checked,
            search_seconds=done - applied,
            counts=counts,
        )


def main(dsn: str, vault_dsn: str, bootstrap: str, rows: int) -> None:
    """Prepare a node and a sample roster, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        node = uvloop.run(prepare(dsn, vault_dsn, bootstrap, Path(folder)))
        file = Path(folder) / "roster.csv"
        write_sample(file, rows, UNION)
        _measure(node, dsn, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
