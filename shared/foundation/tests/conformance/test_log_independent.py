"""What we make is taken by other implementations of the C2SP formats, what they make is taken by us, and on what is damaged we agree."""

import base64
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from foundation.log import proofs
from foundation.log.checkpoint import Checkpoint, CheckpointMalformed, open_checkpoint
from foundation.log.edge import Edge
from foundation.log.note import (
    COSIGNATURE,
    NoteMalformed,
    Signature,
    SignatureInvalid,
    SigningKey,
    Unsigned,
    VerifierKey,
    cosign,
    open_note,
    sign,
    with_signatures,
)
from foundation.log.policy import Policy, PolicyMalformed, QuorumMissed
from foundation.log.proof_file import ProofFile
from foundation.log.proofs import ProofInvalid
from foundation.log.tiles import Tile, bundles_of, decode_bundle, encode_bundle, tiles_of
from foundation.record import leaf_hash

from .conftest import Independent

SEED = 20_260_901
ORIGIN = "union.example/370911/assistance"
LOG = SigningKey(ORIGIN, b"l" * 32)
WITNESSES = [SigningKey(f"witness{number}.example/见证", bytes([number]) * 32, COSIGNATURE) for number in range(4)]
KEYS = [LOG.verifier, *(witness.verifier for witness in WITNESSES)]
RECORDS = [b"record %d " % number * (number % 7) for number in range(1_300)]
LEAVES = [leaf_hash(record) for record in RECORDS]


def grown(size: int) -> tuple[bytes, dict[Tile, bytes]]:
    """Root and tiles of the log of the first records."""
    edge, full = Edge().grow(b"".join(LEAVES[:size]))
    return edge.root(), dict([*full, *edge.tiles()])


def signed(size: int, witnesses: Sequence[SigningKey] = (), root: bytes | None = None) -> str:
    """A checkpoint."""
    body = Checkpoint(ORIGIN, size, root or grown(size)[0]).body()
    return sign(body, LOG) + "".join(cosign(body, witness, 1_700_000_000 + at).line() for at, witness in enumerate(witnesses))


def private(key: SigningKey) -> str:
    """In the form in which Go's libraries take private keys."""
    return f"PRIVATE+KEY+{key.name}+{key.verifier.id.hex()}+{base64.b64encode(bytes([key.type]) + key.seed).decode()}"


def opened_by_us(note: bytes, keys: Sequence[VerifierKey]) -> tuple[str, str | list[str]]:
    """The verdict as answers.go words it: an error's name, or the text and who signed it, each once."""
    try:
        found = open_note(note, keys)
    except NoteMalformed:
        return "malformed", ""
    except SignatureInvalid:
        return "invalid", ""
    except Unsigned:
        return "unsigned", ""
    first: dict[tuple[str, bytes], Signature] = {}
    for line in found.signatures:
        first.setdefault((line.name, line.key_id), line)
    names = [f"{line.name} {line.key_id.hex()}" + ("" if line.at is None else f" {line.at}") for line in first.values()]
    return found.text, names


def opened_by_them(independent: Independent, note: bytes, keys: Sequence[VerifierKey]) -> tuple[str, str | list[str]]:
    answer = independent.ask("open", data=note, keys=[str(key) for key in keys])
    return (answer["error"], "") if "error" in answer else (answer["text"], answer["names"])


def test_our_notes_open_there(independent: Independent) -> None:
    for size in (0, 1, 256, 1_300):
        note = signed(size, WITNESSES).encode()
        assert opened_by_them(independent, note, KEYS) == opened_by_us(note, KEYS)
        assert len(opened_by_us(note, KEYS)[1]) == 5
        body = note.partition(b"\n\n")[0] + b"\n"
        answer = independent.ask("checkpoint", data=body)
        assert (answer.get("error"), answer["text"], answer.get("number", 0)) == (None, ORIGIN, size)
        assert base64.b64decode(answer["data"]) == grown(size)[0]


def test_their_notes_open_here(independent: Independent) -> None:
    """Cosignatures of the library's own clock among them."""
    body = Checkpoint(ORIGIN, 1_300, grown(1_300)[0]).body()
    answer = independent.ask("sign", text=body, keys=[private(key) for key in (LOG, *WITNESSES)])
    note = open_checkpoint(base64.b64decode(answer["data"]), LOG.verifier, [witness.verifier for witness in WITNESSES]).note
    assert len(note.signatures) == 5
    assert [line.at is None for line in note.signatures] == [True, False, False, False, False]
    plain = independent.ask("sign", text="text\n\nand more\n", keys=[private(LOG)])
    assert base64.b64decode(plain["data"]).decode() == sign("text\n\nand more\n", LOG)


def test_one_verdict_on_damaged_notes(independent: Independent) -> None:
    """What we take, they take. What only they take has base64 in another spelling than its own, or a wrong second signature of a key."""
    chance = random.Random(SEED)
    whole = signed(1_300, WITNESSES[:2])
    alphabet = ["\n", " ", "+", "=", "A", "\u2014 ", "\n\n", "\u2003", "\t", "", ""]
    verdicts: dict[str, int] = {}
    for _ in range(3_000):
        note = whole
        for _ in range(chance.randint(1, 2)):
            match chance.randrange(3):
                case 0:
                    at = chance.randrange(len(note))
                    note = note[:at] + chance.choice(alphabet) + note[at + chance.randrange(3) :]
                case 1:
                    lines = note.splitlines(keepends=True)
                    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
                    lines[at], lines[other] = lines[other], lines[at]
                    note = "".join(lines)
                case _:
                    lines = note.splitlines(keepends=True)
                    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                    note = "".join(lines)
        keys = chance.sample(KEYS, chance.randint(1, len(KEYS)))
        ours, theirs = opened_by_us(note.encode(), keys), opened_by_them(independent, note.encode(), keys)
        verdicts[str(ours[0])] = verdicts.get(str(ours[0]), 0) + 1
        if ours != theirs:
            assert ours[0] in ("malformed", "invalid"), (note, ours, theirs)
            lines = note.rpartition("\n\n")[2].splitlines()
            if theirs[0] not in ("malformed", "invalid", "unsigned"):
                payloads = [line.split(" ")[-1] for line in lines]
                respelled = any(base64.b64encode(base64.b64decode(payload)).decode() != payload for payload in payloads)
                assert respelled or len({line.split(" ")[1] for line in lines}) < len(lines), (note, ours, theirs)
    assert {"malformed", "invalid", "unsigned"} < verdicts.keys()


def test_what_other_keys_there_are(independent: Independent) -> None:
    """A key that shares a name or an id is another key, there as here."""
    body = Checkpoint(ORIGIN, 0, grown(0)[0]).body()
    namesake = SigningKey(ORIGIN, b"n" * 32)
    note = sign(body, namesake, LOG).encode()
    for keys in ([LOG.verifier], [namesake.verifier], [LOG.verifier, namesake.verifier], [WITNESSES[0].verifier]):
        assert opened_by_us(note, keys) == opened_by_them(independent, note, keys)


@pytest.mark.parametrize(
    "body", [f"{ORIGIN}\n01\n{'A' * 43}=\n", f"{ORIGIN}\n1\nAAAA\n", "\n1\nAAAA\n", f"{ORIGIN}\n-1\n{'A' * 43}=\n", f"{ORIGIN}\n"]
)
def test_bodies_that_nobody_takes(independent: Independent, body: str) -> None:
    with pytest.raises(CheckpointMalformed):
        Checkpoint.parse(body)
    # formats takes numbers with leading zeroes, and hashes of any length.
    assert "error" in independent.ask("checkpoint", data=body.encode()) or body.split("\n")[1:3] in (["01", "A" * 43 + "="], ["1", "AAAA"])


def test_our_proofs_are_taken_there_and_damaged_ones_nowhere(independent: Independent) -> None:
    chance = random.Random(SEED)
    for _ in range(300):
        size = chance.randint(1, 1_300)
        index, old = chance.randrange(size), chance.randint(1, size)
        root, tiles = grown(size)
        before = grown(old)[0]
        read = proofs.tile_hashes(tiles, size)
        inclusion, consistency = list(proofs.inclusion(index, size, read)), list(proofs.consistency(old, size, read))
        assert independent.ask("inclusion", index=index, size=size, leaf=LEAVES[index], proof=inclusion, root=root) == {"yes": True}
        assert independent.ask("consistency", old=old, size=size, before=before, proof=consistency, root=root) == {"yes": True}
        for proof in (inclusion, consistency):
            match chance.randrange(4):
                case 0 if proof:
                    del proof[chance.randrange(len(proof))]
                case 1:
                    proof.insert(chance.randint(0, len(proof)), root)
                case 2 if len(proof) > 1:
                    proof.reverse()
                case _:
                    index, old = chance.randrange(size), chance.randint(1, size)
        _same(independent, "inclusion", index=index, size=size, leaf=LEAVES[index], proof=inclusion, root=root)
        _same(independent, "consistency", old=old, size=size, before=before, proof=consistency, root=root)


def _same(independent: Independent, what: str, **question: Any) -> None:
    try:
        if what == "inclusion":
            proofs.verify_inclusion(*(question[name] for name in ("index", "size", "leaf", "proof", "root")))
        else:
            proofs.verify_consistency(*(question[name] for name in ("old", "size", "before", "root", "proof")))
    except ProofInvalid:
        assert independent.ask(what, **question) == {}
    else:
        assert independent.ask(what, **question) == {"yes": True}


def test_our_proof_files_are_read_there(independent: Independent) -> None:
    root, tiles = grown(1_300)
    file = ProofFile(77, proofs.inclusion(77, 1_300, proofs.tile_hashes(tiles, 1_300)), signed(1_300, WITNESSES).encode())
    for extra in (None, b"more"):
        answer = independent.ask("proof file", data=ProofFile(file.index, file.proof, file.note, extra).encode())
        assert answer["yes"]  # written again it has the same bytes
        assert (answer["number"], base64.b64decode(answer["data"])) == (77, file.note)
        proof = [base64.b64decode(part) for part in answer["parts"]]
        assert independent.ask("inclusion", index=77, size=1_300, leaf=LEAVES[77], proof=proof, root=root) == {"yes": True}


def test_one_verdict_on_policies(independent: Independent) -> None:
    """Their parser wants a URL for each witness, and looks at the quorum alone."""
    witnesses = "".join(f"witness w{at} {witness.verifier} https://w{at}.example/\n" for at, witness in enumerate(WITNESSES))
    head = f"# a policy\nlog {LOG.verifier}\n{witnesses}"
    policies = [
        *(
            "quorum none\n",
            "quorum w0\n",
            "group g any w0 w1\nquorum g\n",
            "group g all w0 w1\nquorum g\n",
            "group g 2 w0 w1 w2\nquorum g\n",
        ),
        "group g 1 w0 w1\ngroup h 2 w2 w3\ngroup i all g h\nquorum i\n",
        *(
            "",
            "quorum g\n",
            "group g 3 w0 w1\nquorum g\n",
            "group g any w9\nquorum g\n",
            "group w0 any w1\nquorum w0\n",
            "trust w0\nquorum none\n",
        ),
    ]
    for policy in policies:
        for chosen in range(16):
            note = signed(256, [witness for at, witness in enumerate(WITNESSES) if chosen >> at & 1])
            answer = independent.ask("policy", text=head + policy, data=note.encode())
            try:
                Policy.parse((head + policy).encode()).open(note.encode())
                assert answer == {"yes": True}
            except PolicyMalformed:
                assert "error" in answer
            except QuorumMissed:
                assert answer == {}


def test_our_paths_and_bundles(independent: Independent) -> None:
    chance = random.Random(SEED)
    for size in (1, 255, 256, 257, 70_000, 10**6, 2**40 + 12_345):
        for level in range(4):
            count = size // 256**level
            last = (count - 1) // 256
            for number in {0, last, chance.randint(0, last)} if count else ():
                width = min(count - number * 256, 256)
                answer = independent.ask("path", level=level, index=number, size=size)
                assert Tile(level, number, width).path() == answer["names"][0]
                if level == 0:
                    assert Tile(None, number, width).path() == answer["names"][1]
    bundle = encode_bundle([record or b"-" for record in RECORDS[:256]])
    assert [base64.b64decode(part) for part in independent.ask("bundle", data=bundle)["parts"]] == decode_bundle(bundle)
    for damaged in (bundle[:-1], bundle + b"\0", bundle[1:]):
        assert "error" in independent.ask("bundle", data=damaged)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1_300])
def test_a_whole_log_of_ours_is_verified_there(independent: Independent, tmp_path: Path, size: int) -> None:
    """Tessera's fsck derives every tile and the root from the entry bundles; its proof builder reads our tiles."""
    _, tiles = grown(size)
    files = {tile.path(): tiles[tile] for tile in tiles_of(0, size)}
    for tile in bundles_of(0, size):
        files[tile.path()] = encode_bundle(RECORDS[tile.leaves.start : tile.leaves.stop])
    files["checkpoint"] = signed(size).encode()
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    question: dict[str, Any] = {"text": str(tmp_path), "keys": [str(LOG.verifier)], "name": ORIGIN, "size": size}
    index, old = size // 2, size // 3 or 1
    answer = independent.ask("log", **question, index=index, old=old)
    assert "error" not in answer
    read = proofs.tile_hashes(tiles, size)
    ours = [*proofs.inclusion(index, size, read), *proofs.consistency(old, size, read)]
    assert [base64.b64decode(part) for part in answer.get("parts") or []] == ours
    for path, data in files.items():
        if path != "checkpoint":
            (tmp_path / path).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            assert "error" in independent.ask("log", **question, index=index, old=old)
            (tmp_path / path).write_bytes(data)


def test_what_they_take_of_cosignatures_alone(independent: Independent) -> None:
    """A checkpoint without its log's signature, as a witness hands its lines back."""
    body = Checkpoint(ORIGIN, 1, grown(1)[0]).body()
    note = with_signatures(body, [cosign(body, WITNESSES[0], 2**63 - 1)]).encode()
    assert opened_by_us(note, KEYS) == opened_by_them(independent, note, KEYS)
