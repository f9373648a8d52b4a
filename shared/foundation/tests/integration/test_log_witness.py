"""The witness over its route: every status of C2SP tlog-witness, and no history that forks or goes back."""

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest
from foundation.log.checkpoint import Checkpoint
from foundation.log.edge import Edge
from foundation.log.note import Signature, SigningKey, open_note, parse_note, sign, with_signatures
from foundation.log.proofs import consistency, tile_hashes
from foundation.log.tiles import tiles_of
from foundation.log.witness import AddCheckpoint, AddCheckpointMalformed
from foundation.merkle import EMPTY_ROOT
from hypothesis import given
from hypothesis import strategies as st

from .log_world import NAME, SIBLING, World, world

LEAVES = [bytes([n % 256, n // 256]) * 16 for n in range(700)]
FORK = [*LEAVES[:5], bytes(32), *LEAVES[6:]]


def root(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return Edge().grow(b"".join(leaves[:size]))[0].root()


def proof(old: int, size: int, leaves: list[bytes] = LEAVES) -> tuple[bytes, ...]:
    edge, full = Edge().grow(b"".join(leaves[:size]))
    tiles = {**dict(full), **dict(edge.tiles())}
    assert set(tiles) == set(tiles_of(0, size))
    return consistency(old, size, tile_hashes(tiles, size))


def note(it: World, size: int, leaves: list[bytes] = LEAVES, *, key: SigningKey | None = None, origin: str | None = None) -> str:
    checkpoint = Checkpoint(origin or it.keys.origin(NAME), size, root(size, leaves) if size else EMPTY_ROOT)
    return sign(checkpoint.body(), key or it.keys.signing(NAME))


async def ask(it: World, old: int, size: int, leaves: list[bytes] = LEAVES) -> tuple[int, str]:
    answer = await it.post(AddCheckpoint(old, proof(old, size, leaves), note(it, size, leaves)).encode())
    assert (answer.status_code == 409) == (answer.headers["content-type"] == "text/x.tlog.size")
    return answer.status_code, answer.text


async def test_a_log_is_cosigned_as_it_grows(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        key = it.keys.public(SIBLING).witness
        for old, size in ((0, 1), (1, 1), (1, 255), (255, 256), (256, 257), (257, 700)):
            status, line = await ask(it, old, size)
            assert status == 200
            assert open_note((note(it, size) + line).encode(), [key]).signatures[0].at
        assert await it.pool.fetchval("select size from witnessed") == 700


async def test_another_old_size_is_told_the_recorded_one(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        assert await ask(it, 7, 9) == (409, "0\n")
        await ask(it, 0, 9)
        for old, size in ((0, 20), (8, 20), (10, 20), (0, 3), (3, 3), (0, 9)):
            assert await ask(it, old, size) == (409, "9\n")
        assert await it.pool.fetchval("select size from witnessed") == 9


async def test_a_fork_is_not_cosigned(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await ask(it, 0, 9)
        assert (await ask(it, 9, 20, FORK))[0] == 422
        assert (await ask(it, 9, 9, FORK))[0] == 422
        wrong = AddCheckpoint(9, (*proof(9, 20)[:-1], bytes(32)), note(it, 20))
        for bad in (wrong, AddCheckpoint(9, (), note(it, 20)), AddCheckpoint(9, proof(9, 20) * 2, note(it, 20))):
            assert (await it.post(bad.encode())).status_code == 422
        assert (await ask(it, 9, 20))[0] == 200


async def test_a_proof_from_nothing_is_empty(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        assert (await it.post(AddCheckpoint(0, (bytes(32),), note(it, 9)).encode())).status_code == 422


async def test_who_is_not_trusted_is_refused(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        stranger = SigningKey(it.keys.origin(NAME), bytes(32))
        assert (await it.post(AddCheckpoint(0, (), note(it, 9, key=stranger)).encode())).status_code == 403
        text, [signature] = parse_note(note(it, 9).encode())
        spoilt = with_signatures(text, [Signature(signature.name, signature.key_id, bytes(64))])
        assert (await it.post(AddCheckpoint(0, (), spoilt).encode())).status_code == 403
        for origin in ("union.example/1/unheard", "union.example/2/books", "elsewhere.example/1/books", "x", it.keys.origin(SIBLING)):
            foreign = note(it, 9, key=SigningKey(origin, bytes(32)), origin=origin)
            assert (await it.post(AddCheckpoint(0, (), foreign).encode())).status_code == 404, origin
        assert await it.pool.fetchval("select count(*) from witnessed") == 0


async def test_every_epoch_is_a_log_of_its_own(migrated: str, tmp_path: Path) -> None:
    async with world(migrated, tmp_path) as it:
        await ask(it, 0, 20)
        second = note(it, 9, key=it.keys.signing(NAME, 1), origin=it.keys.origin(NAME, 1))
        assert (await it.post(AddCheckpoint(0, (), second).encode())).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"old 0", b"old 0\n\n", b"old 00\n\n%s", b"old -1\n\n%s", b"new 0\n\n%s", b"old 0\nAA\n\n%s", b"old 10\n\n%s"),
        b"old 0\n" + b"".join(b64encode(bytes(32)) + b"\n" for _ in range(64)) + b"\n%s",
    ],
)
async def test_what_is_no_request_is_malformed(migrated: str, tmp_path: Path, body: bytes) -> None:
    async with world(migrated, tmp_path) as it:
        answer = await it.post(body.replace(b"%s", note(it, 9).encode()))
        assert answer.status_code == 400
        assert answer.json()["type"].endswith("add-checkpoint-malformed")


async def test_of_two_at_once_one_is_told_to_come_again(migrated: str, tmp_path: Path) -> None:
    """Checked and recorded in one step: otherwise the later answer could set the record back."""
    async with world(migrated, tmp_path) as it:
        await ask(it, 0, 10)
        await asyncio.gather(*(it.pool.fetchval("select pg_sleep(0.1)") for _ in range(6)))  # connections, so that they do meet
        answers = await asyncio.gather(*(ask(it, 10, size) for size in (20, 30, 40, 50, 60)))
        won = [size for size, (status, _) in zip((20, 30, 40, 50, 60), answers, strict=True) if status == 200]
        assert len(won) == 1
        assert {answer for answer in answers if answer[0] != 200} == {(409, f"{won[0]}\n")}
        assert await it.pool.fetchval("select size from witnessed") == won[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        asked = AddCheckpoint.parse(body)
    except AddCheckpointMalformed:
        return
    assert asked.encode() == body


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.text("abc—\n", max_size=50))
def test_a_request_is_read_as_it_was_written(old: int, nodes: list[bytes], rest: str) -> None:
    asked = AddCheckpoint(old, tuple(nodes), rest)
    assert AddCheckpoint.parse(asked.encode()) == asked
