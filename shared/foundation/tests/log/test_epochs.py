"""A log that goes on in a new epoch: another name, the same key, and a first record that owns up to what was given up."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.foundation import EpochOpened
from foundation.ids import uuid7
from foundation.log.checkpoint import Checkpoint
from foundation.log.damage import Damage, Kind
from foundation.log.edge import Edge
from foundation.log.note import SigningKey, sign
from foundation.log.reader import FolderFiles
from foundation.log.trust import given
from foundation.log.verify import Verified, verify
from foundation.record import encode, leaf_hash

from .sample import LOG, ORIGIN, START, checkpoint, history, put, record, write

SURVIVED = 600
OLD = history(SURVIVED + 150)
SECOND = SigningKey(str(replace(ORIGIN, epoch=1)), LOG.seed)


def opening(**said: object) -> bytes:
    """The first record of epoch 1."""
    root = Edge().grow(b"".join(map(leaf_hash, OLD[:SURVIVED])))[0].root().hex()
    data = {"epoch": 1, "old_origin": str(ORIGIN), "old_size": SURVIVED, "old_root": root} | said
    return encode(
        id=uuid7(START.replace(hour=20)),
        source="/nodes/3709/assistance",
        type=EpochOpened.TYPE,
        stream="epoch-1",
        time=START.replace(hour=20),
        version=1,
        correlation="0",
        causation=None,
        actor="1",
        org=None,
        data=data,
    )


def log(folder: Path, first: bytes) -> FolderFiles:
    """The history after its operator gave up 150 records, with two checkpoints of its first epoch: one of them speaks of those."""
    more = [record(80_000_000 + at, f"thing-later-{at}", 1, time=START.replace(hour=21)) for at in range(300)]
    write(folder, [*OLD[:SURVIVED], first, *more], key=SECOND)
    for size in (500, SURVIVED + 150):
        put(folder, f"checkpoints/{size}", checkpoint(OLD[:size]))
    return FolderFiles(folder)


def verified(files: FolderFiles) -> Verified:
    """With the key of the first epoch: it is the log's for ever."""
    return verify(files, given([LOG.verifier]))


def test_what_was_given_up_is_said(tmp_path: Path) -> None:
    said = verified(log(tmp_path, opening()))
    assert (said.head.origin, said.head.size) == (SECOND.name, SURVIVED + 301)
    assert said.given_up == (f"checkpoints/{SURVIVED + 150}",)


@pytest.mark.parametrize("lie", [{"old_root": "00" * 32}, {"old_size": SURVIVED + 1}, {"epoch": 2}, {"epoch": 0}])
def test_an_epoch_that_opens_on_another_history(tmp_path: Path, lie: dict[str, object]) -> None:
    with pytest.raises(Damage) as caught:
        verified(log(tmp_path, opening(**lie)))
    assert caught.value.kind == Kind.epoch_broken


def test_an_epoch_that_nobody_declared(tmp_path: Path) -> None:
    with pytest.raises(Damage, match="no record opens epoch 1") as caught:
        verified(log(tmp_path, record(79_999_999, "thing-none", 1, time=START.replace(hour=20))))
    assert caught.value.kind == Kind.epoch_broken


def test_what_survived_is_what_was_signed(tmp_path: Path) -> None:
    files = log(tmp_path, opening())
    forged = [*OLD[:300], record(300, "thing-forged", 1), *OLD[301:500]]
    put(tmp_path, "checkpoints/500", checkpoint(forged))
    with pytest.raises(Damage) as caught:
        verified(files)
    assert (caught.value.kind, caught.value.where) == (Kind.fork, "checkpoints/500")


@pytest.mark.parametrize(("origin", "kind"), [(str(ORIGIN), Kind.entries_missing), (f"{ORIGIN}/epoch-9999999999", Kind.epoch_broken)])
def test_numbers_that_nobody_can_follow(tmp_path: Path, origin: str, kind: Kind) -> None:
    """Whoever has the key can sign any size and any epoch: neither memory nor time may go into them."""
    log = write(tmp_path / "log", OLD[:300])
    shutil.rmtree(log / "checkpoints")
    put(log, "checkpoint", sign(Checkpoint(origin, 2**63 - 1, bytes(32)).body(), SigningKey(origin, LOG.seed)).encode())
    with pytest.raises(Damage) as raised:
        verify(FolderFiles(log), given([LOG.verifier]), processes=2)
    assert raised.value.kind == kind
