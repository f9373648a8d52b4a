"""A bank for the length of a demo: the simulated one, beside the node, and assistance told where it is."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from node import lifecycle, processes
from node.embedded.ports import free_port
from node.errors import NotReady, UsageError
from node.folder import DataFolder, NodeConfig

NAME = "demo-bank"
FEN = 1_000_000_000_000
"""What each account holds at first."""

SECONDS_MAX = 30


@contextmanager
def simulated_bank(folder: DataFolder, accounts: Mapping[str, str]) -> Iterator[None]:
    """The bank runs, knows these accounts (number and name), and the node pays through it; afterwards it is gone, its log is kept.

    Raises UsageError where the node pays through a bank already.
    """
    before = _without(folder)
    port = free_port()
    command = [sys.executable, "-m", "simulated_bank", "--folder", str(folder.root / NAME), "--port", str(port)]
    process = processes.spawn(folder.root, NAME, command, environment={}, log=folder.log(NAME))
    url = f"http://127.0.0.1:{port}"
    try:
        _open(url, accounts, folder)
        _address(folder).write_text(url)
        folder.save_config(before.model_copy(update={"bank_url": url}))
        try:
            _restart(folder)
            yield
        finally:
            folder.save_config(before)
            _restart(folder)
    finally:
        process.terminate()
        process.wait()


def _without(folder: DataFolder) -> NodeConfig:
    """The node's configuration without the bank of a demo that was cut off; such a bank ends. Raises UsageError for any other bank."""
    config = folder.supervised()
    address = _address(folder)
    if config.bank_url is not None and (not address.exists() or address.read_text() != config.bank_url):
        raise UsageError("this node pays through a bank already", "the demo is for a node that pays nobody")
    processes.stop(processes.marked(folder.root).get(NAME, []), grace_seconds=SECONDS_MAX)
    return config.model_copy(update={"bank_url": None})


def _address(folder: DataFolder) -> Path:
    return folder.root / NAME / "url"


def _open(url: str, accounts: Mapping[str, str], folder: DataFolder) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            for number, name in accounts.items():
                if httpx.get(f"{url}/accounts/{number}").status_code == httpx.codes.NOT_FOUND:
                    httpx.post(f"{url}/accounts", json=[{"account": number, "name": name, "fen": FEN}]).raise_for_status()
        except httpx.HTTPError as error:
            if time.monotonic() > deadline:
                raise NotReady("the simulated bank does not answer", f"read {folder.log(NAME)}") from error
            time.sleep(0.1)
        else:
            return


def _restart(folder: DataFolder) -> None:
    """The supervisor starts what ends, with the settings of now."""
    processes.stop(processes.marked(folder.root).get("assistance", []), grace_seconds=SECONDS_MAX)
    lifecycle.wait_ready(folder, None, lambda _: None)
