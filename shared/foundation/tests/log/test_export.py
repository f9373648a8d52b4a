"""Exporting goes on where it stopped and covers nothing up; proofs of single records need nothing but keys."""

from pathlib import Path

import pytest
from foundation.log.damage import Damage, Kind
from foundation.log.export import export
from foundation.log.proving import NotInLog, check, prove, record_at
from foundation.log.reader import FileMissing, FolderFiles, LogUnreadable
from foundation.log.tiles import Tile, decode_bundle
from foundation.log.trust import given
from foundation.log.verify import verify

from .sample import LOG, history, put, record, write

HISTORY = history(1_500)
TRUST = given([LOG.verifier])


def all_files(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in FolderFiles(folder).under("")}


def test_an_export_is_the_log(tmp_path: Path) -> None:
    log = write(tmp_path / "log", HISTORY[:700], [256, 300])
    done = export(FolderFiles(log), tmp_path / "copy", TRUST)
    assert (done.old, done.size) == (0, 700)
    assert all_files(tmp_path / "copy") == all_files(log)


def test_it_is_brought_up_to_date(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    export(FolderFiles(write(tmp_path / "early", HISTORY[:700], [256])), copy, TRUST)
    now = write(tmp_path / "now", HISTORY, [256, 700])
    done = export(FolderFiles(now), copy, TRUST)
    assert (done.old, done.size) == (700, 1_500)
    assert all_files(copy) == all_files(now)
    verify(FolderFiles(copy), TRUST)
    assert export(FolderFiles(now), copy, TRUST).size == 1_500


class CutOff(FolderFiles):
    """Answers so many times, then no more."""

    def __init__(self, folder: Path, answers: int) -> None:
        super().__init__(folder)
        self.answers = answers

    def read(self, path: str, size_max: int) -> bytes:
        self.answers -= 1
        if self.answers < 0:
            raise LogUnreadable("gone")
        return super().read(path, size_max)


def test_it_goes_on_wherever_it_was_cut_off(tmp_path: Path) -> None:
    early, now = write(tmp_path / "early", HISTORY[:700], [256]), write(tmp_path / "now", HISTORY, [256, 700])
    whole = all_files(now)
    for answers in range(25):
        copy = tmp_path / f"copy{answers}"
        export(FolderFiles(early), copy, TRUST)
        try:
            export(CutOff(now, answers), copy, TRUST)
        except LogUnreadable:
            if (copy / "incoming").exists():
                with pytest.raises(LogUnreadable, match="cut off"):
                    verify(FolderFiles(copy), TRUST)
            else:
                verify(FolderFiles(copy), TRUST)
            export(FolderFiles(now), copy, TRUST)
        else:
            assert answers > 12
        assert all_files(copy) == whole


def test_it_covers_up_no_rollback(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    export(FolderFiles(write(tmp_path / "log", HISTORY)), copy, TRUST)
    before = all_files(copy)
    with pytest.raises(Damage, match="rolled back") as caught:
        export(FolderFiles(write(tmp_path / "restored", HISTORY[:700])), copy, TRUST)
    assert caught.value.kind == Kind.rolled_back
    assert all_files(copy) == before


def test_it_covers_up_no_fork(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    export(FolderFiles(write(tmp_path / "log", HISTORY[:700])), copy, TRUST)
    forged = [*HISTORY[:300], record(300, "thing-forged", 1), *HISTORY[301:]]
    with pytest.raises(Damage, match="another history") as caught:
        export(FolderFiles(write(tmp_path / "forged", forged)), copy, TRUST)
    assert caught.value.kind == Kind.fork


def test_a_log_that_lays_out_no_keys_gets_those_that_were_handed_over(tmp_path: Path) -> None:
    log = write(tmp_path / "log", HISTORY[:10])
    (log / "keys").unlink()
    (log / "policy").unlink()
    export(FolderFiles(log), tmp_path / "copy", TRUST)
    assert (tmp_path / "copy/keys").read_text() == f"{LOG.verifier}\n"


def test_every_record_can_be_proved(tmp_path: Path) -> None:
    files = FolderFiles(write(tmp_path / "log", HISTORY))
    for position in (0, 1, 255, 256, 700, 1_499):
        proof, content = prove(files, TRUST, position).encode(), record_at(files, TRUST, position)
        found, head = check("a proof", proof, content, TRUST)
        assert (found, head.size, content) == (position, 1_500, HISTORY[position])
        with pytest.raises(Damage) as caught:
            check("a proof", proof, content + b" ", TRUST)
        assert caught.value.kind == Kind.proof_wrong


def test_a_proof_outlives_what_it_was_made_from(tmp_path: Path) -> None:
    """Whatever becomes of the keys of a record's sealed fields, its bytes stay, and so does the proof."""
    proof = prove(FolderFiles(write(tmp_path / "log", HISTORY[:700])), TRUST, 77).encode()
    later = FolderFiles(write(tmp_path / "later", HISTORY))
    assert check("a proof", proof, record_at(later, TRUST, 77), TRUST)[1].size == 700


def test_nothing_is_proved_beyond_the_log_or_from_a_wrong_tile(tmp_path: Path) -> None:
    log = write(tmp_path / "log", HISTORY)
    files = FolderFiles(log)
    with pytest.raises(NotInLog):
        prove(files, TRUST, 1_500)
    with pytest.raises(NotInLog):
        record_at(files, TRUST, -1)
    tile = bytearray((log / "tile/0/002").read_bytes())
    tile[7] ^= 1
    put(log, "tile/0/002", bytes(tile))
    with pytest.raises(Damage) as caught:
        prove(files, TRUST, 515)
    assert (caught.value.kind, caught.value.where) == (Kind.tile_altered, "tile/0/002")


def test_a_proof_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Damage, match="is no proof"):
        check("a proof", b"hello", HISTORY[0], TRUST)


def test_a_partial_tile_may_go_once_its_full_one_exists(tmp_path: Path) -> None:
    """C2SP tlog-tiles: whoever asks for it takes the beginning of the full one."""
    log = write(tmp_path / "log", HISTORY[:700])
    later = write(tmp_path / "later", HISTORY)
    for level in (None, 0):
        (log / Tile(level, 2, 188).path()).unlink()
        put(log, Tile(level, 2).path(), (later / Tile(level, 2).path()).read_bytes())
    files = FolderFiles(log)
    assert record_at(files, TRUST, 699) == HISTORY[699]
    check("a proof", prove(files, TRUST, 699).encode(), HISTORY[699], TRUST)
    export(files, tmp_path / "copy", TRUST)
    verify(FolderFiles(tmp_path / "copy"), TRUST)
    assert len(decode_bundle((tmp_path / "copy" / Tile(None, 2, 188).path()).read_bytes())) == 188


def test_what_is_being_written_is_never_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write(tmp_path / "log", HISTORY[:300])

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        export(FolderFiles(log), tmp_path / "copy", TRUST)
    monkeypatch.undo()
    with pytest.raises(FileMissing):
        FolderFiles(tmp_path / "copy").read("checkpoint", 1)
    export(FolderFiles(log), tmp_path / "copy", TRUST)
    assert all_files(tmp_path / "copy") == all_files(log)


class TwoFaced(FolderFiles):
    """Shows one checkpoint first and another one afterwards."""

    def __init__(self, folder: Path, first: bytes) -> None:
        super().__init__(folder)
        self.first: bytes | None = first

    def read(self, path: str, size_max: int) -> bytes:
        if path == "checkpoint" and self.first is not None:
            note, self.first = self.first, None
            return note
        return super().read(path, size_max)


def test_a_checkpoint_is_looked_at_once(tmp_path: Path) -> None:
    """What is held against the directory is what is then written into it."""
    copy = tmp_path / "copy"
    export(FolderFiles(write(tmp_path / "early", HISTORY[:700])), copy, TRUST)
    other = (write(tmp_path / "fork", [*HISTORY[:600], record(600, "other", 1), *HISTORY[600:1_499]]) / "checkpoint").read_bytes()
    before = (copy / "checkpoint").read_bytes()
    with pytest.raises(Damage) as caught:
        export(TwoFaced(write(tmp_path / "now", HISTORY), other), copy, TRUST)
    assert caught.value.kind == Kind.fork
    assert (copy / "checkpoint").read_bytes() == before
