"""`tongxin log` offline, as an auditor types it: no node, no database, one sentence where something is wrong."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from foundation.log.checkpoint import Checkpoint
from foundation.log.edge import Edge
from foundation.log.extract import Placed, framed
from foundation.log.note import COSIGNATURE, SigningKey, VerifierKey, sign
from foundation.log.tiles import bundles_of, encode_bundle
from foundation.record import encode, leaf_hash
from foundation.sealing import NONCE_BYTES, RANDOM_BYTES, b64, seal
from node.cli import app
from typer.testing import CliRunner, Result

KEY = SigningKey("union.example/3709/assistance", bytes(32))
EVENT = {"id": "019cd1f0-0000-7000-8000-000000000000", "source": "/nodes/3709/assistance", "type": "sample.Happened.v1"}


def records(count: int) -> list[bytes]:
    time = datetime.fromtimestamp(int("019cd1f00000", 16) / 1000, UTC)
    rest = {"stream": "thing-1", "time": time, "correlation": "0", "causation": None, "actor": "1", "org": None}
    return [encode(**EVENT, **rest, version=number + 1, data={"number": number}) for number in range(count)]  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An exported log of 300 events."""
    made = records(300)
    edge, full = Edge().grow(b"".join(map(leaf_hash, made)))
    note = sign(Checkpoint(KEY.name, 300, edge.root()).body(), KEY).encode()
    files = {"checkpoint": note, "checkpoints/300": note, "keys": f"{KEY.verifier}\n".encode()}
    files |= {tile.path(): hashes for tile, hashes in [*full, *edge.tiles()]}
    files |= {one.path(): encode_bundle(made[one.leaves.start : one.leaves.stop]) for one in bundles_of(0, 300)}
    for path, content in files.items():
        (tmp_path / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "log" / path).write_bytes(content)
    return tmp_path / "log"


def tongxin(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_an_auditors_way(log: Path, tmp_path: Path) -> None:
    said = tongxin("log", "verify", log)
    assert (said.exit_code, said.stdout.splitlines()[0][:45]) == (0, "whole: union.example/3709/assistance, 300 eve")
    assert "compare them" in said.stderr
    assert "compare them" not in tongxin("log", "verify", log, "--key", KEY.verifier).stderr
    assert tongxin("log", "export", log, tmp_path / "copy").exit_code == 0
    assert json.loads(tongxin("log", "verify", tmp_path / "copy", "--json").stdout)["size"] == 300
    proof, record = tmp_path / "seven.tlog-proof", tmp_path / "seven.json"
    assert tongxin("log", "prove", tmp_path / "copy", 7, "--out", proof, "--record", record).exit_code == 0
    said = tongxin("log", "check", proof, "--record", record, "--key", log / "keys")
    assert (said.exit_code, said.stdout) == (
        0,
        "position 7 of union.example/3709/assistance (of 300 events): sample.Happened.v1, thing-1 version 8, 2026-03-09 09:31:32 UTC\n",
    )


def test_what_is_wrong_is_one_line_and_exit_code_1(log: Path) -> None:
    tile = bytearray((log / "tile/0/000").read_bytes())
    tile[40] ^= 1
    (log / "tile/0/000").write_bytes(tile)
    said = tongxin("log", "verify", log)
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.startswith("error: tile-altered: tile/0/000: hash 1 (position 1) ")
    assert len(said.stderr.splitlines()) == 1
    said = tongxin("log", "verify", log, "--json")
    assert said.exit_code == 1
    assert json.loads(said.stdout) | {"what": ""} == {
        "whole": False,
        "kind": "tile-altered",
        "where": "tile/0/000",
        "what": "",
        "position": 1,
    }


def test_programs_get_json_whatever_is_wrong(log: Path) -> None:
    (log / "keys").write_text("hello\n")
    said = tongxin("log", "verify", log, "--json")
    assert (said.exit_code, json.loads(said.stdout)["kind"]) == (1, "key-wrong")


def test_a_terminal_obeys_nobody(log: Path) -> None:
    """What an operator signs is shown, and does nothing else."""
    name = "union.example/\x9b31m\u202eknurd"
    (log / "checkpoint").write_text(sign(Checkpoint(name, 300, bytes(32)).body(), SigningKey(name, bytes(32))))
    said = tongxin("log", "verify", log, "--key", KEY.verifier)
    assert said.exit_code == 1
    assert "\ufffd31m\ufffdknurd" in said.stderr


def test_nothing_but_words_where_nobody_looks(log: Path) -> None:
    said = tongxin("explain", "thing-1", "--log", log)
    assert (said.exit_code, said.stderr) == (0, "")
    assert "sample.Happened.v1" in said.stdout


def test_what_another_was_shown(log: Path, tmp_path: Path) -> None:
    assert tongxin("log", "verify", log, "--against", log / "checkpoint", "--against", log).exit_code == 0
    other = tmp_path / "other"
    other.write_text(sign(Checkpoint(KEY.name, 300, bytes(32)).body(), KEY))
    said = tongxin("log", "verify", log, "--against", other)
    assert (said.exit_code, said.stderr.strip()[:12]) == (1, "error: fork:")


def test_of_a_part_only_its_own_records_are_proved(log: Path, tmp_path: Path) -> None:
    (log / "scope").write_text("370911\n")
    (log / "records").write_bytes(framed(Placed(7, records(8)[7])))
    assert tongxin("log", "prove", log, 7, "--out", tmp_path / "x", "--record", tmp_path / "y").exit_code == 0
    said = tongxin("log", "prove", log, 8, "--out", tmp_path / "x")
    assert (said.exit_code, said.stderr) == (1, f"error: position 8 is not among the records in {log}\n")


def test_words_that_cannot_be_meant(log: Path, tmp_path: Path) -> None:
    assert tongxin("log", "verify", tmp_path / "nowhere").exit_code == 1
    assert tongxin("log", "verify", log, "--key", "hello").exit_code == 2
    witness = VerifierKey.of("witness.example", COSIGNATURE, bytes(32))
    assert tongxin("log", "verify", log, "--key", witness).exit_code == 2
    assert tongxin("log", "prove", log, 300, "--out", tmp_path / "x").exit_code == 1
    assert tongxin("log", "check", log / "checkpoint", "--record", log / "keys", "--key", KEY.verifier).exit_code == 1


def test_an_opened_field_is_held_against_its_commitment(tmp_path: Path) -> None:
    event, field, value = "019cd1f0-0000-7000-8000-000000000000", "name", "\u738b\u5c0f\u660e"
    key, random = AESGCM(bytes(32)), bytes(range(RANDOM_BYTES))
    sealed = seal(key=key, kid="k" * 22, event=event, stream="thing-1", type=EVENT["type"], path=field, value=value, random=random)
    whole = records(1)[0].replace(b'{"number":0}', json.dumps({field: sealed}).replace(" ", "").encode())
    record, opening = tmp_path / "record", tmp_path / "opening"
    record.write_bytes(whole)
    shown = {"event": event, "field": field, "value": json.dumps(value, ensure_ascii=False), "salt": b64(random[NONCE_BYTES:])}
    opening.write_text(json.dumps(shown))
    said = tongxin("log", "open", opening, "--record", record)
    assert (said.exit_code, said.stdout) == (0, f'name: "{value}"\n')
    for change in ({"value": '"\u738b\u5927\u660e"'}, {"salt": b64(bytes(16))}, {"salt": "!"}, {"event": "another"}):
        opening.write_text(json.dumps(shown | change))
        said = tongxin("log", "open", opening, "--record", record)
        assert (said.exit_code, said.stdout, said.stderr[:20]) == (1, "", "error: opening-wrong")
    opening.write_text(json.dumps(shown | {"field": "number"}))
    assert tongxin("log", "open", opening, "--record", record).exit_code == 2
