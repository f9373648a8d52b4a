"""The golden vectors of other implementations (log_vectors.json): keys, notes, cosignatures, roots, tiles, proofs, proof files."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from foundation.log import proofs
from foundation.log.checkpoint import Checkpoint
from foundation.log.edge import Edge
from foundation.log.note import Note, SigningKey, VerifierKey, cosign, open_note, sign
from foundation.log.policy import Policy, QuorumMissed
from foundation.log.proof_file import ProofFile
from foundation.log.text import from_base64
from foundation.log.tiles import Tile, tiles_of
from foundation.record import leaf_hash

from .conftest import Independent

FILE = Path(__file__).parent / "log_vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
LEAVES = [leaf_hash(b"record %d" % number) for number in range(70_000)]


@pytest.fixture(scope="module")
def tiles() -> dict[Tile, bytes]:
    """All tiles of the whole tree."""
    edge, full = Edge().grow(b"".join(LEAVES))
    return dict([*full, *edge.tiles()])


def signing_keys() -> dict[str, SigningKey]:
    """By verifier key."""
    return {key["verifier"]: SigningKey(key["name"], bytes.fromhex(key["seed"]), key["type"]) for key in VECTORS["keys"]}


def shown(note: Note) -> list[str]:
    """Who signed, as the vectors say it."""
    return [f"{line.name} {line.key_id.hex()}" + ("" if line.at is None else f" {line.at}") for line in note.signatures]


def test_the_vectors_are_what_the_program_makes(independent: Independent) -> None:
    assert independent.vectors() == FILE.read_text(encoding="utf-8")


def test_keys() -> None:
    for text, key in signing_keys().items():
        assert str(key.verifier) == text
        assert VerifierKey.parse(text) == key.verifier


@pytest.mark.parametrize("vector", VECTORS["notes"], ids=lambda vector: vector["about"])
def test_notes(vector: dict[str, Any]) -> None:
    note = open_note(vector["note"].encode(), [VerifierKey.parse(key) for key in vector["keys"]])
    assert shown(note) == vector["verified"]


def test_a_witness_with_a_quantum_safe_key_counts_as_others_do() -> None:
    [vector, *_] = [one for one in VECTORS["notes"] if "ML-DSA-44" in one["about"]]
    log, witness = vector["keys"]
    policy = Policy.parse(f"log {log}\nwitness q {witness}\nquorum q\n".encode())
    assert policy.open(vector["note"].encode()).note.signed_by(VerifierKey.parse(witness))
    with pytest.raises(QuorumMissed):
        policy.open(vector["note"].rpartition("\u2014")[0].encode())


def test_we_sign_the_same_bytes() -> None:
    """Ed25519 is deterministic."""
    keys = {key.name: key for key in reversed(signing_keys().values())}
    for vector in VECTORS["notes"]:
        if vector["about"] == "cosigned by two":
            text = vector["note"].partition("\n\n")[0] + "\n"
            checkpoint = Checkpoint.parse(text)
            lines = sign(checkpoint.body(), keys[checkpoint.origin])
            lines += cosign(text, keys["witness.example/w1"], 1_700_000_000).line() + cosign(text, keys["另一个见证人"], 1 << 33).line()
            assert lines == vector["note"]


def test_roots(tiles: dict[Tile, bytes]) -> None:
    for line in VECTORS["roots"]:
        size, root = line.split()
        edge = Edge().grow(b"".join(LEAVES[: int(size)]))[0]
        assert edge.root() == from_base64(root)
        # From the tiles of a larger log too: a complete subtree stays what it was.
        assert proofs.root(int(size), proofs.tile_hashes(tiles, 70_000)) == from_base64(root)


def test_what_growth_writes() -> None:
    for growth in VECTORS["growths"]:
        edge, full = Edge().grow(b"".join(LEAVES[: growth["old"]]))
        edge, more = edge.grow(b"".join(LEAVES[growth["old"] : growth["size"]]))
        written = dict([*full, *more, *edge.tiles()])
        found = [f"{tile.path()} {sha256(written[tile]).hexdigest()[:16]}" for tile in tiles_of(growth["old"], growth["size"])]
        assert sorted(found) == sorted(growth["tiles"])


def test_inclusion_proofs(tiles: dict[Tile, bytes]) -> None:
    for vector in VECTORS["inclusion"]:
        index, size, proof = vector["index"], vector["size"], [from_base64(node) for node in vector["proof"]]
        assert list(proofs.inclusion(index, size, proofs.tile_hashes(tiles, 70_000))) == proof
        proofs.verify_inclusion(index, size, LEAVES[index], proof, Edge().grow(b"".join(LEAVES[:size]))[0].root())


def test_consistency_proofs(tiles: dict[Tile, bytes]) -> None:
    read = proofs.tile_hashes(tiles, 70_000)
    for vector in VECTORS["consistency"]:
        old, size, proof = vector["index"], vector["size"], [from_base64(node) for node in vector["proof"]]
        assert list(proofs.consistency(old, size, read)) == proof
        proofs.verify_consistency(old, size, proofs.root(old, read), proofs.root(size, read), proof)


def test_proof_files() -> None:
    for text in VECTORS["proof_files"]:
        file = ProofFile.parse(text.encode())
        assert file.encode() == text.encode()
        checkpoint = Checkpoint.parse(file.note.decode().partition("\n\n")[0] + "\n")
        proofs.verify_inclusion(file.index, checkpoint.size, LEAVES[file.index], file.proof, checkpoint.root)
