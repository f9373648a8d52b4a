"""Every class of damage is caught and named: what an operator, a thief, a disk or a careless copy can do to a log."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from foundation.log.damage import Damage, Kind
from foundation.log.note import VerifierKey
from foundation.log.reader import LogUnreadable, open_log
from foundation.log.tiles import Tile, decode_bundle, encode_bundle
from foundation.log.trust import Trust, found, given
from foundation.log.verify import Seen, Verified, verify

from . import sample
from .sample import LOG, START, WITNESS, checkpoint, history, key_of, put, record, write

SIZE = 1_000
HISTORY = history(SIZE)
PUBLISHED = (1, 200, 256, 700)
FORGED = [*HISTORY[:300], HISTORY[300].replace(b'"number":300', b'"number":999'), *HISTORY[301:]]
"""With one event that says something else."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A whole log of 1,000 entries, published five times."""
    return write(tmp_path / "log", HISTORY, PUBLISHED)


def verified(log: Path, trust: Trust | None = None, kept: Sequence[Seen] = ()) -> Verified:
    files = open_log(str(log))
    return verify(files, trust or found(files), kept=kept)


def damage(log: Path, trust: Trust | None = None, kept: Sequence[Seen] = ()) -> Damage:
    """What verification says; one line that begins with the place."""
    with pytest.raises(Damage) as caught:
        verified(log, trust, kept)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(caught.value.where)
    return caught.value


def seen(where: str, note: bytes) -> Seen:
    return Seen(where, given([LOG.verifier]).open(where, note, quorum=False))


def edited(log: Path, number: int, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the entries of one bundle; the tiles stay as they were."""
    width = min(256, SIZE - number * 256)
    path = Tile(None, number, width).path()
    put(log, path, encode_bundle(edit(decode_bundle((log / path).read_bytes()))))


def flipped(log: Path, path: str, at: int = 0, bit: int = 0) -> None:
    content = bytearray((log / path).read_bytes())
    content[at] ^= 1 << bit
    (log / path).write_bytes(content)


def test_a_whole_log_is_whole(log: Path) -> None:
    said = verified(log)
    assert (said.head.size, said.checkpoints, said.witnesses) == (SIZE, len(PUBLISHED) + 1, ((WITNESS.name, 1_772_352_000),))
    assert said.first_time == "2026-03-01T08:00:00.000000Z"


# ------------------------------------------------------------------------------------- what a disk or a thief without the key can do


def test_one_bit_of_a_record(log: Path) -> None:
    flipped(log, "tile/entries/001", at=5_000)
    said = damage(log)
    assert said.kind in (Kind.record_altered, Kind.record_retimed)
    assert said.where == "tile/entries/001"
    records = decode_bundle((log / "tile/entries/001").read_bytes())
    assert said.position == 256 + next(at for at, one in enumerate(records) if one != HISTORY[256 + at])


def test_one_bit_of_a_length_in_an_entry_bundle(log: Path) -> None:
    flipped(log, "tile/entries/001", at=1)
    assert damage(log).kind == Kind.entries_malformed


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002", "tile/0/003.p/232", "tile/1/000.p/3"])
def test_one_bit_of_a_tile(log: Path, path: str) -> None:
    flipped(log, path, at=70)
    said = damage(log)
    assert (said.kind, said.where) == (Kind.tile_altered, path)
    assert said.position == (512 if path.startswith("tile/1") else Tile.parse(path).leaves.start + 2)


@pytest.mark.parametrize("path", ["checkpoint", "checkpoints/200"])
def test_one_bit_of_a_signature(log: Path, path: str) -> None:
    text = (log / path).read_bytes()
    flipped(log, path, at=text.index("— ".encode()) + 60)
    said = damage(log)
    assert (said.kind, said.where) == (Kind.signature_wrong, path)


def test_another_root_in_a_checkpoint(log: Path) -> None:
    lines = (log / "checkpoint").read_bytes().split(b"\n")
    lines[2] = (log / "checkpoints/200").read_bytes().split(b"\n")[2]
    put(log, "checkpoint", b"\n".join(lines))
    assert damage(log).kind == Kind.signature_wrong


def test_a_removed_event(log: Path) -> None:
    edited(log, 1, lambda records: records[:40] + records[41:])
    said = damage(log)
    assert (said.kind, said.position) == (Kind.record_removed, 256 + 40)


def test_a_removed_event_whose_successors_moved_up(log: Path) -> None:
    shorter = HISTORY[:255] + HISTORY[256:]
    for number in range(4):
        edited(log, number, lambda _, number=number: shorter[number * 256 : number * 256 + 256])  # type: ignore[misc]
    said = damage(log)
    assert (said.kind, said.position) == (Kind.record_removed, 255)


def test_an_inserted_event(log: Path) -> None:
    put_in = record(5_000, "thing-new", 1)
    edited(log, 0, lambda records: [*records[:7], put_in, *records[7:255]])
    said = damage(log)
    assert (said.kind, said.position) == (Kind.record_inserted, 7)


def test_swapped_events(log: Path) -> None:
    edited(log, 2, lambda records: [*records[:3], records[9], *records[4:9], records[3], *records[10:]])
    said = damage(log)
    assert (said.kind, said.position) == (Kind.records_swapped, 515)
    assert "515 and 521" in str(said)


def test_a_retimed_event(log: Path) -> None:
    edited(log, 0, lambda records: [*records[:5], records[5].replace(b'"time":"2026-03-01T08', b'"time":"2026-02-28T08'), *records[6:]])
    said = damage(log)
    assert (said.kind, said.position) == (Kind.record_retimed, 5)
    assert "2026-02-28" in str(said)


@pytest.mark.parametrize("path", ["tile/0/001", "tile/0/003.p/232", "tile/1/000.p/3"])
def test_a_missing_tile(log: Path, path: str) -> None:
    (log / path).unlink()
    said = damage(log)
    assert (said.kind, said.where) == (Kind.tile_missing, path)


def test_missing_entries(log: Path) -> None:
    (log / "tile/entries/002").unlink()
    assert (damage(log).kind, damage(log).where) == (Kind.entries_missing, "tile/entries/002")


def test_a_truncated_tile_at_a_full_tiles_path(log: Path) -> None:
    whole = (log / "tile/0/001").read_bytes()
    put(log, "tile/0/001", whole[: 112 * 32])
    said = damage(log)
    assert (said.kind, said.where) == (Kind.tile_truncated, "tile/0/001")
    assert "3584 bytes, not the 8192" in str(said)


def test_a_truncated_entry_bundle_at_a_full_ones_path(log: Path) -> None:
    edited(log, 1, lambda records: records[:112])
    said = damage(log)
    assert (said.kind, said.position) == (Kind.record_removed, 256 + 112)


def test_a_tile_of_another_place(log: Path) -> None:
    put(log, "tile/0/001", (log / "tile/0/000").read_bytes())
    assert (damage(log).kind, damage(log).position) == (Kind.tile_altered, 256)


def test_records_and_tiles_altered_together(log: Path) -> None:
    for path in ("tile/0/001", "tile/entries/001"):
        other = write(log.parent / "forged", FORGED, PUBLISHED)
        put(log, path, (other / path).read_bytes())
    said = damage(log)
    assert (said.kind, said.where, said.position) == (Kind.tile_altered, "tile/1/000.p/3", 256)


def test_everything_altered_but_the_checkpoints(log: Path) -> None:
    other = write(log.parent / "forged", FORGED, PUBLISHED)
    for path in ("tile/0/001", "tile/1/000.p/3", "tile/entries/001"):
        put(log, path, (other / path).read_bytes())
    said = damage(log)
    assert (said.kind, said.where, said.position) == (Kind.root_wrong, "checkpoints/700", 256)


def test_a_truncated_log_with_an_older_checkpoint(log: Path) -> None:
    put(log, "checkpoint", (log / "checkpoints/200").read_bytes())
    said = damage(log)
    assert (said.kind, said.where) == (Kind.rolled_back, "checkpoints/256")


def test_tiles_beyond_the_newest_checkpoint(log: Path) -> None:
    put(log, "checkpoint", (log / "checkpoints/700").read_bytes())
    (log / f"checkpoints/{SIZE}").unlink()
    assert damage(log).kind == Kind.rolled_back


def test_a_file_that_is_none_of_the_logs(log: Path) -> None:
    put(log, "tile/0/1", b"x")
    assert (damage(log).kind, damage(log).where) == (Kind.file_foreign, "tile/0/1")


@pytest.mark.parametrize("path", ["checkpoints/readme", "checkpoints/old/300", "checkpoints/007"])
def test_a_file_among_the_checkpoints_that_is_none(log: Path, path: str) -> None:
    put(log, path, (log / "checkpoint").read_bytes())
    assert (damage(log).kind, damage(log).where) == (Kind.file_foreign, path)


def test_an_export_that_was_cut_off(log: Path) -> None:
    put(log, "incoming", b"x")
    with pytest.raises(LogUnreadable, match="cut off"):
        verified(log)


def test_no_log_at_all(tmp_path: Path) -> None:
    assert damage(tmp_path, given([LOG.verifier])).kind == Kind.checkpoint_missing
    with pytest.raises(LogUnreadable, match="name the log's key"):
        verified(tmp_path)
    with pytest.raises(LogUnreadable, match="neither a directory"):
        open_log(str(tmp_path / "none"))


# --------------------------------------------------------------------------------------------------------- keys, witnesses, policy


def test_the_wrong_key(log: Path) -> None:
    said = damage(log, given([key_of("union.example/3709/rights").verifier]))
    assert said.kind == Kind.unsigned
    assert LOG.name in str(said)


def test_another_key_under_the_same_name(log: Path) -> None:
    impostor = VerifierKey.of(LOG.name, 1, key_of("somebody-else").verifier.material[1:])
    assert damage(log, given([impostor])).kind == Kind.unsigned


def test_a_broken_key_beside_the_log(log: Path) -> None:
    flipped(log, "keys", at=60)
    assert damage(log).kind == Kind.key_wrong


def test_a_key_that_the_policy_does_not_know(log: Path) -> None:
    put(log, "keys", f"{key_of('union.example/3709/rights').verifier}\n".encode())
    assert damage(log).kind == Kind.key_wrong


def test_a_broken_policy(log: Path) -> None:
    put(log, "policy", b"quorum nobody\n")
    assert damage(log).kind == Kind.policy_malformed


def test_a_checkpoint_that_no_witness_saw(log: Path) -> None:
    put(log, "checkpoint", checkpoint(HISTORY, witness=None))
    assert damage(log).kind == Kind.unwitnessed


def test_a_witness_that_was_handed_over_must_have_cosigned(log: Path) -> None:
    assert verified(log, given([LOG.verifier, WITNESS.verifier])).witnesses
    put(log, "checkpoint", checkpoint(HISTORY, witness=None))
    assert damage(log, given([LOG.verifier, WITNESS.verifier])).kind == Kind.unwitnessed
    assert verified(log, given([LOG.verifier])).witnesses == ()


def test_a_wrong_cosignature(log: Path) -> None:
    flipped(log, "checkpoint", at=len((log / "checkpoint").read_bytes()) - 20, bit=1)
    assert damage(log).kind == Kind.signature_wrong


def test_a_checkpoint_of_another_log_signed_by_this_one(log: Path) -> None:
    text = checkpoint(HISTORY).decode().replace("assistance", "rights").encode()
    put(log, "checkpoint", text)
    assert damage(log).kind in (Kind.unsigned, Kind.signature_wrong, Kind.other_log)


# ------------------------------------------------------------------------------- what the operator can do, who holds the signing key


def rewritten(log: Path, records: Sequence[bytes]) -> Path:
    """A history that was made up anew, signed and all, by whoever has the log's key."""
    return write(log.parent / "rewritten", records)


def test_a_fork_shown_to_two_followers(log: Path) -> None:
    other = rewritten(log, FORGED)
    mine = seen("what the province was shown", (log / "checkpoint").read_bytes())
    said = damage(other, kept=[mine])
    assert (said.kind, said.where) == (Kind.fork, "what the province was shown")


def test_a_fork_at_the_same_size_is_said_before_the_log_is_read(log: Path) -> None:
    other = rewritten(log, FORGED)
    (other / "tile/entries/000").unlink()
    assert damage(other, kept=[seen("kept", (log / "checkpoint").read_bytes())]).kind == Kind.fork


def test_a_fork_before_the_newest_checkpoint(log: Path) -> None:
    other = rewritten(log, FORGED)
    assert damage(other, kept=[seen("kept", (log / "checkpoints/700").read_bytes())]).kind == Kind.fork
    verified(other, kept=[seen("kept", (log / "checkpoints/256").read_bytes())])


def test_a_restored_old_backup(log: Path) -> None:
    restored = rewritten(log, HISTORY[:700])
    said = damage(restored, kept=[seen("my last visit", (log / "checkpoint").read_bytes())])
    assert (said.kind, said.where) == (Kind.rolled_back, "my last visit")


def test_a_restored_old_backup_that_went_on_otherwise(log: Path) -> None:
    more = [record(SIZE + at, f"thing-more-{at}", 1) for at in range(SIZE)]
    restored = rewritten(log, [*HISTORY[:700], *more])
    assert damage(restored, kept=[seen("my last visit", (log / "checkpoint").read_bytes())]).kind == Kind.fork


def test_an_event_left_out_of_a_rewritten_history(log: Path) -> None:
    said = damage(rewritten(log, HISTORY[:400] + HISTORY[401:]))
    assert said.kind == Kind.version_broken


def test_the_first_event_of_a_stream_left_out(log: Path) -> None:
    first = next(at for at in range(1, SIZE) if b'"streamversion":1,' in HISTORY[at])
    said = damage(rewritten(log, HISTORY[:first] + HISTORY[first + 1 :]))
    assert said.kind == Kind.version_broken
    assert "where 1 is next" in str(said)


def test_events_swapped_in_a_rewritten_history(log: Path) -> None:
    stream = next(one for one in HISTORY if b'"streamversion":9,' in one).split(b'"subject":"')[1][:38]
    first, second = [at for at, one in enumerate(HISTORY) if stream in one][3:5]
    swapped = list(HISTORY)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert damage(rewritten(log, swapped)).kind == Kind.version_broken


def test_an_event_inserted_into_a_rewritten_history(log: Path) -> None:
    again = HISTORY[400]
    assert damage(rewritten(log, [*HISTORY[:450], again, *HISTORY[450:]])).kind == Kind.version_broken


def test_an_event_retimed_in_a_rewritten_history(log: Path) -> None:
    later = HISTORY[400].replace(b'"time":"2026-03-01T08', b'"time":"2026-03-01T09')
    said = damage(rewritten(log, [*HISTORY[:400], later, *HISTORY[401:]]))
    assert (said.kind, said.position) == (Kind.record_retimed, 400)


def test_an_event_dated_back_with_its_id(log: Path) -> None:
    early = record(400, "thing-early", 1, time=START - timedelta(days=30))
    said = damage(rewritten(log, [*HISTORY[:400], early, *HISTORY[400:]]))
    assert (said.kind, said.position) == (Kind.time_reversed, 400)


def test_a_clock_that_was_set_back_by_seconds_is_no_damage(log: Path) -> None:
    verified(rewritten(log, [*HISTORY[:990], record(990, "thing-slow", 1, time=START), *HISTORY[991:]][:991]))


def test_a_record_of_another_service(log: Path) -> None:
    foreign = record(0, "thing-foreign", 1).replace(b"/nodes/3709/assistance", b"/nodes/3709/membership")
    said = damage(rewritten(log, [foreign, *HISTORY[1:]]))
    assert said.kind == Kind.record_foreign


@pytest.mark.parametrize(
    "spelling",
    [
        lambda whole: whole.replace(b'"streamversion":', b'"streamversion": '),
        lambda whole: whole.replace(b'"actor":', b'"org":"1","actor":', 1),
        lambda whole: whole[:-1] + b',"data":{}}',
        lambda whole: whole.replace(b'"streamversion":1,', b'"streamversion":01,'),
        lambda whole: whole.replace(b'"time":"2026-03-01', b'"time":"2026-13-01'),
        lambda _: b"{}",
        lambda _: b"\xff",
    ],
)
def test_a_record_that_is_none(log: Path, spelling: Callable[[bytes], bytes]) -> None:
    said = damage(rewritten(log, [spelling(record(0, "thing-odd", 1)), *HISTORY[1:]]))
    assert (said.kind, said.position) == (Kind.record_malformed, 0)


def test_a_record_with_letters_that_need_escaping_is_one(log: Path) -> None:
    verified(rewritten(log, [record(0, 'thing-"quoted\\', 1, name="王\n五"), *HISTORY[1:]][:1]))


def test_damage_is_named_alike_by_several_processes(tmp_path: Path) -> None:
    long = history(40_000)
    log = write(tmp_path / "long", long, [20_000, 32_768])
    files = open_log(str(log))
    assert verify(files, found(files), processes=2).checkpoints == 3
    put(log, "tile/entries/150", encode_bundle([*long[38_400:38_500], record(1, "thing-x", 1), *long[38_501:38_656]]))
    put(log, "tile/entries/100", encode_bundle([*long[25_600:25_700], record(2, "thing-x", 1), *long[25_701:25_856]]))
    with pytest.raises(Damage) as caught:
        verify(files, found(files), processes=2)
    assert (caught.value.kind, caught.value.position) == (Kind.record_altered, 25_700)


def test_the_sample_is_what_it_says() -> None:
    assert len({sample.record(number, "a", 1) for number in range(100)}) == 100
