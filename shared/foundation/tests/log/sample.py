"""A small log made without a service: records like a history's, cut into the files of an exported directory."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from foundation.ids import uuid7
from foundation.log.checkpoint import Checkpoint
from foundation.log.edge import Edge
from foundation.log.note import COSIGNATURE, SigningKey, cosign, sign
from foundation.log.origin import Origin
from foundation.log.policy import Group, Party, Policy
from foundation.log.tiles import bundles_of, encode_bundle
from foundation.record import encode, leaf_hash

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
ORIGIN = Origin("3709", "assistance")


def key_of(name: str, type: int = 0x01) -> SigningKey:
    """A key that follows from its name."""
    return SigningKey(name, sha256(name.encode()).digest(), type)


LOG = key_of(str(ORIGIN))
WITNESS = key_of("witness.example/370000", COSIGNATURE)


def record(number: int, stream: str, version: int, *, time: datetime | None = None, org: str | None = "370911", **data: Any) -> bytes:
    """The record of an event; the same for the same arguments."""
    made = time or START + timedelta(milliseconds=17 * number)
    return encode(
        id=uuid7(made, sha256(b"%d" % number).digest()[:10]),
        source=f"/nodes/{ORIGIN.org}/{ORIGIN.service}",
        type="sample.Happened.v1",
        stream=stream,
        time=made,
        version=version,
        correlation="0" * 32,
        causation=None,
        actor="1" * 32,
        org=org,
        data={"number": number, **data},
    )


def history(size: int, *, streams: int = 40, seed: int = 1) -> list[bytes]:
    """A history over some streams, taking turns at random."""
    chosen, versions, records = random.Random(seed), dict[str, int](), list[bytes]()
    for number in range(size):
        stream = f"thing-{chosen.randrange(streams):032x}"
        versions[stream] = versions.get(stream, 0) + 1
        records.append(record(number, stream, versions[stream], org=("370911", "370902", None)[number % 3]))
    return records


def checkpoint(records: Sequence[bytes], *, key: SigningKey = LOG, witness: SigningKey | None = WITNESS, at: int = 1_772_352_000) -> bytes:
    """The signed checkpoint over these records, cosigned."""
    edge, _ = Edge().grow(b"".join(map(leaf_hash, records)))
    note = sign(Checkpoint(key.name, len(records), edge.root()).body(), key)
    if witness is not None:
        note += cosign(note.partition("\n\n")[0] + "\n", witness, at).line()
    return note.encode()


def write(folder: Path, records: Sequence[bytes], published: Sequence[int] = (), *, key: SigningKey = LOG) -> Path:
    """The exported directory of a log of these records, with a checkpoint at each size in `published` and at the end."""
    files = {"keys": f"{key.verifier}\n".encode(), "policy": policy(key).encode()}
    edge, full = Edge().grow(b"".join(map(leaf_hash, records)))
    files |= {tile.path(): hashes for tile, hashes in [*full, *edge.tiles()]}
    for bundle in bundles_of(0, len(records)):
        files[bundle.path()] = encode_bundle(records[at] for at in bundle.leaves if at < len(records))
    for size in {*published, len(records)}:
        files[f"checkpoints/{size}"] = checkpoint(records[:size], key=key)
    files["checkpoint"] = files[f"checkpoints/{len(records)}"]
    for path, content in files.items():
        put(folder, path, content)
    return folder


def put(folder: Path, path: str, content: bytes) -> None:
    """One file of a log."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)


def policy(key: SigningKey = LOG) -> Policy:
    """One log, one witness, who must have cosigned."""
    return Policy((Party(key.verifier),), {"province": Party(WITNESS.verifier)}, {"quorum": Group(1, ("province",))}, "quorum")
