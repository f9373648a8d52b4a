"""Verifying a log of many events from an exported directory, and its limit: the same bytes read and hashed, nothing else.

python -m benchmarks.ours.verify EVENTS ROUNDS

The limit reads the entry bundles and makes every leaf's and every node's hash with hashlib; it compares nothing. Rates by CPU time, of all
processes together, and by the clock.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from foundation.ids import uuid7
from foundation.log.checkpoint import Checkpoint
from foundation.log.edge import Edge
from foundation.log.note import SigningKey, sign
from foundation.log.reader import CHECKPOINT, KEYS, open_log
from foundation.log.tiles import WIDTH, bundles_of, decode_bundle, encode_bundle, leaf_hashes, perfect_root
from foundation.log.trust import found
from foundation.log.verify import verify
from foundation.record import encode
from foundation.sealing import b64

from benchmarks.load import report

EVENTS_A_STREAM = 4
CHECKPOINT_EVERY = 2_000
"""What a busy log publishes: a checkpoint a second."""

KEY = SigningKey("union.example/3709/bench", bytes(range(32)))
START = datetime(2026, 1, 1, tzinfo=UTC)


def records(first: int, end: int) -> list[bytes]:
    """Records of about 600 bytes with one sealed field, on streams of a few events each."""
    made = []
    for number in range(first, end):
        now = START + timedelta(milliseconds=9 * number)
        random = os.urandom(108)
        sealed = {"kid": b64(random[:16]), "nonce": b64(random[:12]), "ciphertext": b64(random[:48]), "commitment": b64(random[76:])}
        made.append(
            encode(
                id=uuid7(now),
                source="/nodes/3709/bench",
                type="bench.Happened.v1",
                stream=f"thing-{number // EVENTS_A_STREAM:032x}",
                time=now,
                version=number % EVENTS_A_STREAM + 1,
                correlation=random[:16].hex(),
                causation=None,
                actor="0" * 32,
                org="370902",
                data={"person": random[:16].hex(), "name": sealed},
            )
        )
    return made


def fill(folder: Path, events: int) -> int:
    """A log with its tiles and checkpoints. Returns the bytes of its entries."""

    def write(path: str, content: bytes) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    edge, size = Edge(), 0
    for bundle in bundles_of(0, events):
        entries = encode_bundle(records(bundle.leaves.start, bundle.leaves.stop))
        write(bundle.path(), entries)
        edge, full = edge.grow(leaf_hashes(decode_bundle(entries)))
        for tile, hashes in full:
            write(tile.path(), hashes)
        if edge.size % CHECKPOINT_EVERY < WIDTH or edge.size == events:
            write(f"checkpoints/{edge.size}", sign(Checkpoint(KEY.name, edge.size, edge.root()).body(), KEY).encode())
        size += len(entries)
    for tile, hashes in edge.tiles():
        write(tile.path(), hashes)
    write(CHECKPOINT, (folder / f"checkpoints/{events}").read_bytes())
    write(KEYS, f"{KEY.verifier}\n".encode())
    return size


def bare(folder: Path, events: int) -> None:
    """The limit: leaves and nodes hashed."""
    edge = Edge()
    for bundle in bundles_of(0, events):
        leaves = leaf_hashes(decode_bundle((folder / bundle.path()).read_bytes()))
        if bundle.full:
            edge, _ = edge.grow(perfect_root(leaves))


def verified(folder: Path, processes: int) -> None:
    """All of it."""
    files = open_log(str(folder))
    verify(files, found(files), processes=processes)


def cpu_seconds() -> float:
    """Of this process and those it has started."""
    return sum(one.ru_utime + one.ru_stime for one in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))


def main(events: int, rounds: int) -> None:
    """Rounds in turn over one log; memory is that of the largest process."""
    with tempfile.TemporaryDirectory(prefix="tongxin-bench-") as name:
        folder = Path(name)
        size = fill(folder, events)
        ways: dict[str, Callable[[], None]] = {
            "bare": lambda: bare(folder, events),
            "one": lambda: verified(folder, 1),
            "all": lambda: verified(folder, os.cpu_count() or 1),
        }
        rates: dict[str, dict[str, list[float]]] = {way: {"cpu": [], "wall": []} for way in ways}
        for _ in range(rounds):
            for way, run in ways.items():
                began, cpu = time.perf_counter(), cpu_seconds()
                run()
                rates[way]["wall"].append(events / (time.perf_counter() - began))
                rates[way]["cpu"].append(events / (cpu_seconds() - cpu))
        memory = max(getrusage(RUSAGE_SELF).ru_maxrss, getrusage(RUSAGE_CHILDREN).ru_maxrss) / 1024
        tiles = sum(path.stat().st_size for path in folder.glob("tile/[0-9]*/**/*") if path.is_file())
        full = sum(32 * WIDTH for level in range(8) for _ in range(events // WIDTH ** (level + 1)))
        report(**rates, rss_mb=memory, entry_bytes=size, tile_bytes=tiles, full_tile_bytes=full)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
