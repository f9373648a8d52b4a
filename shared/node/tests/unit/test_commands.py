"""What somebody gets who types `tongxin` where there is no node, or not the one that they think: one sentence, one exit code."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from node import status
from node.cli import app
from node.embedded.ports import free_port
from node.folder import DataFolder, NodeConfig, NodeState, PartState
from node.topology import BASE_PORT_MAX, PORTS
from typer.testing import CliRunner, Result

PERSON = "0f" * 16


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter, as pytest's is not."""
    made = Path(tempfile.mkdtemp(prefix="tongxin-commands-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def folder(place: Path) -> DataFolder:
    """A node that was started once and does not run."""
    folder = DataFolder(place / "node")
    folder.create()
    folder.save_config(NodeConfig(base_port=free_port(PORTS)))
    return folder


def tongxin(folder: DataFolder | Path, *words: object) -> Result:
    place = folder.root if isinstance(folder, DataFolder) else folder
    return CliRunner().invoke(app, [str(word) for word in (*words, "--data-dir", place)])


def said(result: Result, code: int) -> str:
    """Its words on stderr, once it has ended as it should: with a sentence, not with an exception that nobody expected."""
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.stderr


def _commands(group: Any, *path: str) -> list[tuple[tuple[str, ...], Any]]:
    if not hasattr(group, "commands"):
        return [(path, group)]
    return [found for name, one in group.commands.items() for found in _commands(one, *path, name)]


@pytest.mark.parametrize(
    ("path", "command"), _commands(typer.main.get_command(app)), ids=lambda one: "-".join(one) if type(one) is tuple else ""
)
def test_every_command_takes_a_data_folder(path: tuple[str, ...], command: Any) -> None:
    assert any("--data-dir" in parameter.opts for parameter in command.params), path


def test_a_file_is_no_data_folder(place: Path) -> None:
    file = place / "file"
    file.touch()
    assert f"there is no node in {file}" in said(tongxin(file, "status"), 2)
    assert "cannot be made" in said(tongxin(file, "up", "--detach"), 2)


def test_a_damaged_configuration_is_named(folder: DataFolder) -> None:
    (folder.root / "node.json").write_text('{"base_port": ')
    assert f"{folder.root}/node.json is damaged" in said(tongxin(folder, "status"), 2)


@pytest.mark.parametrize(
    "words",
    [
        ("token", "--as", "clerk", "--org", "3709"),
        ("import", "organisations", "--sample"),
        ("import", "roster", "roster.csv", "--org", "3709"),
        ("projections", "rebuild", "membership"),
        ("parked", "list"),
        ("parked", "replay"),
        ("history", "restore", "membership"),
        ("history", "lost-keys", "membership"),
        ("log", "verify", "membership"),
        ("log", "export", "membership", "nowhere"),
        ("explain", f"member-{PERSON}"),
        ("erase", PERSON, "--basis", "withdrawn"),
        ("demo", "assistance"),
    ],
    ids=" ".join,
)
def test_what_needs_a_node_that_runs_says_so(folder: DataFolder, words: tuple[str, ...]) -> None:
    assert said(tongxin(folder, *words), 3) == "error: the node does not run\n  start it with `tongxin up`\n"


def test_a_stopped_nodes_servers_are_not_shown_as_ready(folder: DataFolder) -> None:
    part = PartState(state="running", pid=1, port=1, restarts=0, log="")
    folder.save_state(NodeState(supervisor=1, parts=dict.fromkeys(("postgres", "vault", "broker"), part)))
    shown = tongxin(folder, "status")
    said(shown, 4)
    assert [line.split()[2] for line in shown.stdout.splitlines()[1:-1]] == ["no"] * 7


def test_down_says_that_there_was_nothing_to_stop(folder: DataFolder) -> None:
    assert tongxin(folder, "down").stdout == "the node was not running\n"


def test_the_published_status_is_what_was_promised() -> None:
    service = status.ServiceStatus(url="http://127.0.0.1:1", ready=True, position=3, relay_lag=0, projection_lag=1, waits_for=["guard"])
    assert status.published(status.NodeStatus(ready=False, organisation="3709", services={"membership": service})) == {
        "ready": False,
        "services": {"membership": {"url": "http://127.0.0.1:1", "position": 3, "relay_lag": 0, "projection_lag": 1}},
    }


def test_ports_that_cannot_be_had_are_not_settled(folder: DataFolder) -> None:
    before = folder.config()
    other = free_port(PORTS)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other + 1))
        taken.listen()
        assert f"port {other + 1} (for membership) is in use" in said(tongxin(folder, "up", "--detach", "--base-port", other), 2)
    for base in (80, BASE_PORT_MAX + 1):
        assert "--base-port" in said(tongxin(folder, "up", "--detach", "--base-port", base), 2)
    assert folder.config() == before


def test_a_running_node_is_not_asked_for_another_organisation(folder: DataFolder) -> None:
    with folder.lock():
        assert "started for organisation 3709" in said(tongxin(folder, "up", "--detach", "--organisation", "3710"), 2)


def test_a_services_name_is_the_service_whatever_lies_in_the_current_folder(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "membership").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "the node does not run" in said(tongxin(folder, "log", "export", "membership", "membership/"), 3)
    assert "no file `keys` at membership" in said(tongxin(folder, "log", "verify", "membership/"), 1)


def test_words_that_cannot_be_meant(folder: DataFolder, place: Path) -> None:
    assert "there is no role king\n  one of " in said(tongxin(folder, "token", "--as", "king", "--org", "3709"), 2)
    assert "somebody is no person's id" in said(tongxin(folder, "hold", "somebody", "--reference", "1"), 2)
    assert "nor a service of the node here" in said(tongxin(folder, "log", "verify", "memberships"), 1)
    assert f"{place}/no/roster.csv cannot be written" in said(
        tongxin(folder, "sample", "roster", "--rows", 1, "--org", "370902", "--out", place / "no" / "roster.csv"), 2
    )


def test_what_is_no_backup_is_refused(folder: DataFolder, place: Path) -> None:
    assert "manifest.json: No such file or directory" in said(tongxin(folder, "restore", place), 2)
    (place / "manifest.json").write_text("{}")
    assert "its manifest.json is damaged" in said(tongxin(folder, "restore", place), 2)


def test_another_nodes_backup_is_not_put_here(folder: DataFolder, place: Path) -> None:
    (folder.secrets / "master.key").touch()
    (place / "manifest.json").write_text('{"taken_at": "2026-03-02T00:00:00Z", "organisation": "3710", "positions": {}, "sha256": {}}')
    assert "a backup of the node of 3710" in said(tongxin(folder, "restore", place), 2)


def test_half_a_backup_does_not_stay(folder: DataFolder, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.backup.Postgres.ready", lambda _: True)
    result = tongxin(folder, "backup", place / "copy")  # the servers do not run, so PostgreSQL's own program fails
    assert said(result, 1).startswith("error: ")
    assert not (place / "copy").exists()


def test_what_is_not_postgresqls_is_closed_to_others(folder: DataFolder) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.root.iterdir() if path.is_dir()}
    assert modes == {"secrets": 0o700, "log": 0o700, "broker": 0o700}
