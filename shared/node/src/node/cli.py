"""The `tongxin` command: a thin layer of words over the modules beside it."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from contracts.foundation import ErasureBasis
from contracts.membership.appointments import Role
from membership.rosters.sample import write_sample
from rich.table import Table

from node import auditing, backup, erasing, importing, lifecycle, log_keys, status
from node.access import Access
from node.demo import demo
from node.errors import Interrupted, UsageError
from node.folder import DataFolder
from node.history import history
from node.log import log
from node.terminal import AsJson, DataDir, Unused, command, err, opened, out, progress
from node.topology import BASE_PORT_MAX

app = typer.Typer(
    name="tongxin",
    help="Runs a node of Tongxin: services, PostgreSQL and a broker in one data folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
imports = typer.Typer(no_args_is_help=True, help="Take files in.")
samples = typer.Typer(no_args_is_help=True, help="Write sample data.")
projections = typer.Typer(no_args_is_help=True, help="Read models.")
parked = typer.Typer(no_args_is_help=True, help="Streams whose reactions fail.")
app.add_typer(projections, name="projections")
app.add_typer(parked, name="parked")
app.add_typer(history, name="history")
app.add_typer(imports, name="import")
app.add_typer(samples, name="sample")
app.add_typer(log, name="log")
app.add_typer(demo, name="demo")
auditing.register(app)
log_keys.register(log)

SHOWN_REFUSALS = 20


@command(app, "up")
def up(
    data_dir: DataDir = None,
    base_port: Annotated[
        int | None, typer.Option(min=1024, max=BASE_PORT_MAX, help="Services listen on the ports after it. Default: 8700, or as before.")
    ] = None,
    organisation: Annotated[str | None, typer.Option(help="Code of the union that runs this node. Default: 3709, or as before.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the node is ready; it goes on in the background.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Load the tree of Tai'an, where the node has no organisations yet.")] = False,
) -> None:
    """Start the node, or continue where it stopped."""
    folder = opened(data_dir)
    supervisor = lifecycle.start(folder, base_port, organisation)
    try:
        with err.status("starting") as spinner:
            lifecycle.wait_ready(folder, supervisor, lambda waiting: spinner.update(f"waiting for {waiting}"))
            access = Access(folder)
            access.administrator()
        if sample and importing.is_empty(access):
            _import_organisations(access, importing.sample_tree())
        out.print(_addresses(folder, status.of(folder)))
        if supervisor is not None and not detach:
            err.print("running in the foreground; Ctrl-C stops the node")
            supervisor.wait()
    except KeyboardInterrupt:
        if supervisor is None or detach:
            raise Interrupted("interrupted; the node goes on in the background", "`tongxin down` stops it") from None
        with err.status("stopping"):
            lifecycle.stop(folder)
        out.print("the node is stopped")


@command(app, "down")
def down(data_dir: DataDir = None) -> None:
    """Stop the node in order. Nothing is lost; `up` continues."""
    folder = opened(data_dir)
    folder.supervised()
    ran = folder.runs()
    with err.status("stopping"):
        left = lifecycle.stop(folder)
    if left:
        err.print(f"stopped what a killed supervisor had left: {', '.join(left)}")
    out.print("the node is stopped" if ran or left else "the node was not running")


@command(app, "status")
def status_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """How the node is. Exit code 4 where it is not ready."""
    folder = opened(data_dir)
    now = status.of(folder)
    if as_json:
        out.print_json(data=status.published(now))
    else:
        out.print(_addresses(folder, now))
    if not now.ready:
        raise typer.Exit(4)


@command(app, "token")
def token(
    role: Annotated[str, typer.Option("--as", help="clerk, approver, finance, steward, auditor, org-admin, agency or member.")],
    org: Annotated[str, typer.Option("--org", help="The organisation's code.")],
    data_dir: DataDir = None,
) -> None:
    """Print a development token for somebody with a role; the appointment is recorded the first time."""
    if role not in set(Role):
        raise UsageError(f"there is no role {role}", f"one of {', '.join(Role)}")
    print(Access(opened(data_dir)).token(role, org))  # noqa: T201 - for `$(tongxin token …)`, without rich


@command(imports, "organisations")
def import_organisations(
    file: Annotated[Path | None, typer.Argument(help="CSV: code,name,level,parent", show_default=False)] = None,
    *,
    sample: Annotated[bool, typer.Option("--sample", help="The tree of Tai'an, instead of a file.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Found a union for each division; what is there already stays as it is."""
    if (file is None) != sample:
        raise UsageError("either a file or --sample")
    _import_organisations(Access(opened(data_dir)), importing.sample_tree() if file is None else importing.read(file))


@command(imports, "roster")
def import_roster(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with Chinese headings.")],
    *,
    org: Annotated[str, typer.Option("--org", help="The union whose roster it is.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    complete: Annotated[bool, typer.Option("--complete", help="It names every member: who is not on it has left.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take a roster in. The same file again changes nothing; an import that was cut off goes on."""
    with progress("rows") as report:
        try:
            done = importing.roster(Access(opened(data_dir)), file, org, complete=complete, dry_run=dry_run, report=report)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; what membership has begun it goes on with", "the same command again says how it ends") from None
    if as_json:
        out.print_json(data=asdict(done))
        return
    verb = "would be" if done.stage == "checked" else "are"
    out.print(f"{done.rows:,} rows in {done.seconds:.1f} s ({done.rows / done.seconds:,.0f} a second); roster {done.roster}")
    out.print(", ".join(f"{count:,} {verb} {kind}" for kind, count in done.counts.items()) or "nothing to do")
    for refused in done.refused[:SHOWN_REFUSALS]:
        out.print(f"  row {refused['row']}: {refused['zh']} ({refused['en']})", markup=False)
    if len(done.refused) > SHOWN_REFUSALS:
        out.print(f"  … and {len(done.refused) - SHOWN_REFUSALS} more; --json lists them all")


@command(samples, "roster")
def sample_roster(
    rows: Annotated[int, typer.Option(min=1, max=1_000_000)],
    org: Annotated[str, typer.Option("--org", help="The union whose roster it is.")],
    target: Annotated[Path, typer.Option("--out", help="A .csv or .xlsx file.")],
    seed: Annotated[int, typer.Option(help="Another seed, other people.")] = 1,
    data_dir: Unused = None,
) -> None:
    """Write a realistic roster: the same rows for the same arguments, a few of them wrong on purpose."""
    try:
        with err.status(f"writing {rows:,} rows"):
            written = write_sample(target, rows, org, seed=seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
    planted = ", ".join(f"{count} {kind}" for kind, count in sorted(written.planted.items())) or "none"
    out.print(f"{target}: {written.rows:,} rows; planted errors: {planted}")


@command(projections, "rebuild")
def rebuild_projections(service: Annotated[str, typer.Argument(help="Whose.")], data_dir: DataDir = None) -> None:
    """Make a service's read models anew from the histories, beside the live ones, and switch; readers see no gap."""
    with err.status("rebuilding"):
        done = Access(opened(data_dir)).rebuild(service)
    for one in done:
        out.print(f"{', '.join(one['projections'])}: {one['events']:,} events in {one['seconds']:.1f} s, up to position {one['position']}")


@command(parked, "list")
def list_parked(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What is parked in any service, and why."""
    found = Access(opened(data_dir)).parked()
    if as_json:
        out.print_json(data=found)
    elif not found:
        out.print("nothing is parked")
    else:
        table = Table("service", "source", "stream", "events", "first position", "failure", "since", box=None, pad_edge=False)
        for one in found:
            table.add_row(*(str(one[name]) for name in ("service", "source", "key", "events", "first_position", "error", "parked_at")))
        out.print(table)


@command(parked, "replay")
def replay_parked(
    stream: Annotated[str | None, typer.Argument(help="One stream, as `parked list` names it; without it, all.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Try parked streams again, in order. Exit code 5 where one fails again."""
    access = Access(opened(data_dir))
    waiting = [one for one in access.parked() if stream in (None, one["key"])]
    if not waiting:
        out.print("nothing is parked" if stream is None else f"{stream} is not parked", markup=False)
    failed = False
    for one in waiting:
        done = access.replay(one["service"], one["source"], one["key"])
        failed = failed or done["error"] is not None
        end = "free" if done["error"] is None else f"{done['left']} still wait: {done['error']}"
        out.print(f"{one['service']} {one['key']}: {done['done']} done, {end}", markup=False)
    if failed:
        raise typer.Exit(5)


@command(app, "erase")
def erase(
    person: Annotated[str, typer.Argument(help="The person's id.")],
    *,
    basis: Annotated[str, typer.Option("--basis", help=f"A ground of PIPL 47 ({', '.join(ErasureBasis)}), or words, which are sealed.")],
    target: Annotated[Path | None, typer.Option("--out", help="Where the certificate goes. Default: erasure-PERSON.json, here.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Restrict a person's data, destroy the keys of every purpose that has ended, and certify it. Again: the certificate as of now."""
    folder = opened(data_dir)
    with err.status("erasing") as spinner:
        certificate = erasing.erase(Access(folder), folder, person, basis, lambda part: spinner.update(f"erasing: {part}"))
    target = target or (None if as_json else Path(f"erasure-{person}.json"))
    if target is not None:
        target.write_text(json.dumps(certificate, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        out.print_json(data=certificate)
        return
    for name, done in certificate["services"].items():
        destroyed = ", ".join(f"{one['purpose']} ({one['keys']} keys)" for one in done["destroyed"]) or "held nothing"
        out.print(f"{name}: {destroyed}", markup=False)
        for one in done["kept"]:
            until = one["until"] or "it is released"
            out.print(f"  {one['purpose']} is kept until {until}: {one['source'] or 'legal hold'}", markup=False)
    out.print(f"{certificate['statement']['zh']} {certificate['statement']['en']}", markup=False)
    out.print(f"certificate in {target}")


@command(app, "hold")
def hold(
    person: Annotated[str, typer.Argument(help="The person's id.")],
    *,
    reference: Annotated[str, typer.Option("--reference", help="The number of the file at the court or authority.")],
    release: Annotated[bool, typer.Option("--release", help="End it.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Put a legal hold on a person's keys: nothing is destroyed until it is released."""
    erasing.hold(opened(data_dir), person, reference, release=release)
    out.print(f"the hold {reference} on {person} is {'released' if release else 'set'}", markup=False)


@command(app, "backup")
def backup_(
    target: Annotated[Path | None, typer.Argument(help="A folder that does not exist yet. Default: named by the moment, here.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Copy a running node's databases. Secrets are not in it: keep a copy of the secrets folder elsewhere."""
    folder = opened(data_dir)
    target = target or Path(f"tongxin-backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    with err.status("backup") as spinner:
        manifest = backup.take(folder, target, lambda part: spinner.update(f"backup: {part}"))
    for name, position in manifest.positions.items():
        out.print(f"{name}: up to position {position}" if position is not None else f"{name}: did not say how far it goes")
    out.print(f"backup in {target}; the keys that open it are in {folder.secrets} and belong elsewhere")


@command(app, "restore")
def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `tongxin backup` made.")],
    *,
    vault: Annotated[bool, typer.Option("--vault", help="The vault too, though there is one: keys made since are lost.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Put a backup in the place of a stopped node's databases; what was there is kept beside. A vault that is there stays."""
    folder = opened(data_dir)
    with err.status("restore") as spinner:
        manifest = backup.restore(folder, source, lambda part: spinner.update(f"restore: {part}"), vault_too=vault)
    out.print(f"restored what was backed up at {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC; start it with `tongxin up`")
    out.print("a service whose topic or followers have seen later events refuses commands until those are back, or a new epoch is declared")


def _import_organisations(access: Access, content: bytes) -> None:
    with progress("organisations") as report:
        done = importing.organisations(access, content, report)
    for refused in done.refused:
        err.print(f"refused {refused['organisation']}: {refused['detail']} ({refused['en']})", markup=False)
    out.print(f"{done.accepted:,} organisations, {len(done.refused)} refused")
    if done.refused:
        raise typer.Exit(5)


def _addresses(folder: DataFolder, now: status.NodeStatus) -> Table:
    config = folder.config()
    ports = config.ports
    table = Table("part", "address", "ready", "position", "relay lag", "view lag", box=None, pad_edge=False)
    for name, service in now.services.items():
        figures = ("-" if figure is None else str(figure) for figure in (service.position, service.relay_lag, service.projection_lag))
        table.add_row(name, service.url, "yes" if service.ready else "no", *figures)
    state = folder.state()
    running = folder.runs()
    ours = {} if config.addresses else {"postgres": ports.postgres, "vault": ports.vault, "broker": ports.broker}
    for name, port in ours.items():
        part = state.parts.get(name) if state else None
        table.add_row(name, f"127.0.0.1:{port}", "yes" if running and part and part.state == "running" else "no", "", "", "")
    table.caption, table.caption_justify = f"data in {folder.root}", "left"
    return table


def main() -> None:
    """The entry point of the script `tongxin`."""
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
