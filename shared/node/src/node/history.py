"""`tongxin history`: the ways out where a history, or the keys to it, were lost in part (docs/decisions/0010-backup.md)."""

from typing import Annotated

import typer

from node import lost_keys, status
from node.access import Access
from node.errors import NotReady, UsageError
from node.terminal import DataDir, command, err, opened, out
from node.topology import SERVICES
from node.topology import service as named

history = typer.Typer(no_args_is_help=True, help="Ways out where a service refuses commands, as after a restored backup.")


@command(history, "restore")
def restore_history(service: Annotated[str, typer.Argument(help="Whose.")], data_dir: DataDir = None) -> None:
    """Take back from the topic the records that a restored backup lacks, byte for byte."""
    folder, spec = opened(data_dir), named(service)
    access = Access(folder)
    with err.status("re-appending"):
        before = status.of(folder).services[service].position
        head = access.recover(service, "restore")
    out.print(f"{service} goes up to position {head['position']}")
    if not folder.config().addresses and (lost := lost_keys.find(folder, spec, after=-1 if before is None else before)).keys:
        raise NotReady(_said_of(service, lost), f"see `tongxin history lost-keys {service}`")
    if status.of(folder).services[service].waits_for == ["guard"]:
        raise NotReady(
            f"{service} still refuses commands: others have seen more than the topic holds",
            f"restore a newer backup, or give up what is lost with `tongxin history new-epoch {service}`",
        )


@command(history, "lost-keys")
def find_lost_keys(
    service: Annotated[str, typer.Argument(help="In whose history.")],
    *,
    give_up: Annotated[bool, typer.Option("--give-up", help="Yes, what they seal is read as erased from now on.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Look for records whose keys the vault does not have, as after an older copy of it was put in its place."""
    folder, spec = opened(data_dir), named(service)
    with err.status("looking"):
        lost = lost_keys.find(folder, spec, give_up=give_up)
    if not lost.keys:
        out.print(f"{service}: the vault has all keys, or knows that they were destroyed")
        return
    out.print(_said_of(service, lost))
    if not give_up:
        raise NotReady(
            f"what needs them waits in {service} and in those who follow it",
            "put back a vault that has them (`restore` keeps what was there as data.before-…), or add --give-up",
        )
    out.print("given up; what waited goes on after `tongxin down` and `tongxin up`")


def _said_of(service: str, lost: lost_keys.Lost) -> str:
    return f"{service}: {lost.records:,} records are sealed under {lost.keys:,} keys that the vault does not have"


@command(history, "new-epoch")
def declare_epoch(
    service: Annotated[str, typer.Argument(help="Whose.")],
    give_up: Annotated[bool, typer.Option("--give-up", help="Yes, give up what others have seen and this history lacks.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Give up records that are lost for good and go on in a new epoch; whoever follows this history rebuilds."""
    if not give_up:
        raise UsageError("this gives up what others have seen, for ever", "try `tongxin history restore` first; else add --give-up")
    access = Access(opened(data_dir))
    head = access.recover(service, "epoch")
    out.print(f"{service} is in epoch {head['epoch']} from position {head['position']} on")
    _follow(access, service)


@command(history, "follow")
def follow_epoch(
    service: Annotated[str, typer.Argument(help="Who has declared a new epoch.")],
    data_dir: DataDir = None,
) -> None:
    """Let every service that follows another one go on in its new epoch; `new-epoch` does it too, this is for who was away then."""
    _follow(Access(opened(data_dir)), service)


def _follow(access: Access, source: str) -> None:
    away = []
    for spec in SERVICES:
        if source not in spec.follows:
            continue
        try:
            done = access.go_on(spec.name, source)
        except NotReady:
            away.append(spec.name)
            continue
        for one in done:
            given_up = f"; it had applied up to {one['was']}, and what it did then stands" if one["was"] > one["last"] else ""
            out.print(f"{one['consumer']} goes on after position {one['last']} in epoch {one['epoch']}{given_up}", markup=False)
    if away:
        raise NotReady(f"{', '.join(away)} did not answer", f"`tongxin history follow {source}` once they run")
