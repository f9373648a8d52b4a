import os
import subprocess
import sys
from pathlib import Path

import pytest
from node import backup
from node.embedded.postgres import closed_parent
from node.errors import UsageError
from node.folder import AlreadyRunning, DataFolder, NodeConfig
from node.lifecycle import settle
from node.topology import SERVICES


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "node")
    made.root.mkdir()
    return made


def test_one_holder_at_a_time(folder: DataFolder) -> None:
    assert folder.holder() is None
    with folder.lock():
        assert folder.holder() == os.getpid()
        with pytest.raises(AlreadyRunning), folder.lock():
            pass
    assert folder.holder() is None


def test_the_lock_ends_with_its_holder_even_when_killed(folder: DataFolder) -> None:
    program = (
        "from pathlib import Path; from node.folder import DataFolder\n"
        f"with DataFolder(Path({str(folder.root)!r})).lock():\n"
        "    print('held', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert folder.holder() == holder.pid
        holder.kill()
        holder.wait()
    with folder.lock():
        pass


def test_what_was_settled_stays_and_ports_may_change(folder: DataFolder) -> None:
    with pytest.raises(UsageError, match="no node"):
        folder.config()
    assert settle(folder, 9700, "330603") == NodeConfig(base_port=9700, organisation="330603")
    assert settle(folder, None, None) == NodeConfig(base_port=9700, organisation="330603")
    assert settle(folder, 9800, None).base_port == 9800
    with pytest.raises(UsageError, match="330603"):
        settle(folder, None, "3709")


def test_a_node_in_containers_is_reached_by_name_and_run_by_others(folder: DataFolder) -> None:
    addresses = {service.name: f"http://{service.name}:8701" for service in SERVICES}
    settled = settle(folder, None, "330603", addresses)
    assert [settled.url(service) for service in SERVICES] == list(addresses.values())
    assert folder.runs()
    with pytest.raises(UsageError, match="containers"):
        settle(folder, None, "330603")
    with pytest.raises(UsageError, match="containers"):
        backup.take(folder, folder.root / "backup", print)
    with pytest.raises(UsageError, match="330603"):
        settle(folder, None, "3709", addresses)


def test_the_closed_folder_on_the_way_is_found_and_not_changed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    nobody = (os.getuid() + 54_321, os.getgid() + 54_321)
    assert closed_parent(closed / "deeper" / "still", nobody) is not None
    assert closed_parent(closed / "deeper", (os.getuid(), os.getgid())) is None
    assert closed.stat().st_mode & 0o777 == 0o700
