"""`tongxin log keys` on a node's folder, without a node that runs."""

from pathlib import Path

import pytest
from foundation.log.checkpoint import Checkpoint
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.note import VerifierKey, sign
from foundation.merkle import EMPTY_ROOT
from node import log_keys
from node.errors import NodeError
from node.folder import DataFolder, NodeConfig
from node.topology import SERVICES


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A node's folder in which every service has started once."""
    folder = DataFolder(tmp_path)
    folder.secrets.mkdir()
    folder.save_config(NodeConfig())
    for service in SERVICES:
        keys(folder).make(service.name)
    return folder


def keys(folder: DataFolder) -> LogKeys:
    return LogKeys(folder.secrets / "log", "3709")


def test_every_service_has_a_log_and_a_witness(folder: DataFolder) -> None:
    found = log_keys.of(folder)
    assert list(found) == [service.name for service in SERVICES]
    names = [VerifierKey.parse(found["assistance"][kind]).name for kind in ("log", "witness")]
    assert names == ["union.example/3709/assistance", "union.example/3709/assistance/witness"]
    materials = {VerifierKey.parse(key).material[1:] for each in found.values() for key in each.values()}
    assert len(materials) == 2 * len(SERVICES)  # no seed is used twice


def test_the_private_halves_are_the_owners_alone(folder: DataFolder) -> None:
    assert {path.stat().st_mode & 0o777 for path in (folder.secrets / "log").glob("*.key")} == {0o600}
    assert (folder.secrets / "log").stat().st_mode & 0o777 == 0o700


def test_the_key_is_that_of_the_epoch_in_which_was_signed_last(folder: DataFolder) -> None:
    origin = keys(folder).origin("rights", 2)
    LastSigned(folder.secrets / "log", "rights", keys(folder)).write(
        sign(Checkpoint(origin, 0, EMPTY_ROOT).body(), keys(folder).signing("rights", 2))
    )
    assert log_keys.of(folder)["rights"]["log"].startswith("union.example/3709/rights/epoch-2+")


def test_a_service_that_never_started_has_none(folder: DataFolder) -> None:
    (folder.secrets / "log" / "rights.keys").unlink()
    with pytest.raises(NodeError, match="the log keys of rights are missing"):
        log_keys.of(folder)
