"""Which checkpoint stood at a moment: by a witness's word, or else by the operator's own, and said so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from foundation.log.as_of import NotYet, as_of, covering, entries
from foundation.log.reader import FolderFiles
from foundation.log.trust import Trust

from .sample import LOG, START, WITNESS, checkpoint, history, policy, put, write

RECORDS = history(700)
TRUST = Trust(policy(), from_log=False)


def seen(size: int) -> datetime:
    """When the witness saw it: long after it was published."""
    return START + timedelta(hours=size)


@pytest.fixture
def log(tmp_path: Path) -> FolderFiles:
    """Checkpoints at 10 (unwitnessed), 256, 300 and 700."""
    write(tmp_path, RECORDS, published=[10, 256, 300])
    for size in (256, 300, 700):
        put(tmp_path, f"checkpoints/{size}", checkpoint(RECORDS[:size], at=int(seen(size).timestamp())))
    put(tmp_path, "checkpoint", checkpoint(RECORDS, at=int(seen(700).timestamp())))
    put(tmp_path, "checkpoints/10", checkpoint(RECORDS[:10], witness=None))
    return FolderFiles(tmp_path)


@pytest.mark.parametrize(
    ("moment", "size", "witness"),
    [
        (START + timedelta(milliseconds=17 * 9), 10, None),
        (seen(256) - timedelta(seconds=1), 10, None),
        (seen(256), 256, WITNESS.name),
        (seen(300) - timedelta(seconds=1), 256, WITNESS.name),
        (seen(300), 300, WITNESS.name),
        (datetime.max.replace(tzinfo=UTC), 700, WITNESS.name),
    ],
)
def test_the_last_checkpoint_that_stood_by_then(log: FolderFiles, moment: datetime, size: int, witness: str | None) -> None:
    stood = as_of(log, TRUST, moment)
    assert (stood.checkpoint.size, stood.witness) == (size, witness)
    assert stood.at <= moment


def test_before_the_first_checkpoint_there_is_none(log: FolderFiles) -> None:
    with pytest.raises(NotYet, match=rf"{LOG.name} had no checkpoint yet at 2026-03-01 08:00:00 UTC; its first is of 2026-03-01 08:00:00"):
        as_of(log, TRUST, START)


@pytest.mark.parametrize(("size", "found"), [(0, 10), (1, 10), (10, 10), (11, 256), (256, 256), (301, 700), (700, 700)])
def test_a_size_is_covered_by_the_next_checkpoint(log: FolderFiles, size: int, found: int) -> None:
    assert covering(log, TRUST, size).checkpoint.size == found


def test_a_size_beyond_the_log_is_refused(log: FolderFiles) -> None:
    with pytest.raises(NotYet, match="goes up to 700 records, not 701"):
        covering(log, TRUST, 701)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 700])
def test_the_records_below_a_checkpoint(log: FolderFiles, size: int) -> None:
    assert list(entries(log, size, 700)) == RECORDS[:size]


def test_an_empty_log_stands_as_well(tmp_path: Path) -> None:
    log = FolderFiles(write(tmp_path, []))
    for stood in (as_of(log, TRUST, START), covering(log, TRUST, 0)):
        assert (stood.checkpoint.size, stood.at, stood.witness) == (0, START, WITNESS.name)
    with pytest.raises(NotYet):
        as_of(log, TRUST, START - timedelta(seconds=1))
