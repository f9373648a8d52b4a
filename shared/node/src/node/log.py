"""`tongxin log`: what an auditor does with a history's transparency log, on the node or with nothing but exported files."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from foundation.log import export, extract, proving, rows, trust
from foundation.log.damage import Damage
from foundation.log.envelopes import CLOCK_BACK_SECONDS
from foundation.log.keys import LogKeys
from foundation.log.note import ED25519, KeyMalformed, VerifierKey
from foundation.log.reader import CHECKPOINT, NOTE_BYTES_MAX, FolderFiles, LogFiles, LogUnreadable, open_log
from foundation.log.text import utc
from foundation.log.verify import Seen, Verified, verify
from foundation.record import RecordMalformed, decode
from foundation.sealing import SealBroken
from foundation.vault.masterkey import MasterKey
from foundation.vault.port import KeyMissing, PurposeForbidden, VaultUnavailable
from foundation.vault.postgres import PostgresVault

from node import opening, topology
from node.access import Access
from node.databases import Secrets
from node.environment import environment
from node.errors import NodeError, UsageError, of_file
from node.folder import DataFolder
from node.importing import Report
from node.terminal import AsJson, DataDir, Unused, command, err, opened, out, progress, visible
from node.topology import SERVICES, ServiceSpec

log = typer.Typer(no_args_is_help=True, help="Verify, export and prove histories.")

GAPS_NAMED = 10
"""How many streams with missing events are named one by one."""

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="A verifier key, or a file of them, from elsewhere: a log's, and of witnesses who must have cosigned."),
]
Token = Annotated[
    str | None, typer.Option("--token", envvar="TONGXIN_TOKEN", help="An auditor's token: a server gives entries to nobody else.")
]
Place = Annotated[
    str,
    typer.Argument(metavar="DIR/|URL|SERVICE", help="An exported directory, the address of a log, or a service of the node here."),
]
Against = Annotated[
    list[str] | None, typer.Option(help="A checkpoint that you kept, or another copy of the log: all must be shown the same history.")
]
ClockBack = Annotated[float, typer.Option(min=0, help="By how many seconds the clock of the log may have been set back.")]


class Found(NodeError):
    """Something is wrong with the log: what, and where."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(f"{damage.kind}: {damage}")
        self.damage = damage


@dataclass(frozen=True, slots=True)
class Opened:
    """A log, who is believed about it, and the service of the node here that it is of, if it is."""

    files: LogFiles
    trust: trust.Trust
    token: str | None
    service: ServiceSpec | None


@contextmanager
def opened_log(place: str, keys: list[str] | None, token: str | None, data_dir: Path | None) -> Iterator[Opened]:
    """The log that is meant; of the node here, its own keys are believed. What goes wrong with it is one sentence.

    A service's name is that service, whatever lies in the current folder: an export called `membership` is `membership/`.
    """
    spec = next((one for one in SERVICES if one.name == place), None)
    own: VerifierKey | None = None
    if spec is not None:
        folder = opened(data_dir)
        token = token or Access(folder).node_token()
        own = _own(folder, spec)
        place = f"{folder.config().ports.url(spec)}/log"
    elif not Path(place).exists() and "://" not in place:
        raise NodeError(
            f"{place} is neither a directory, nor an address, nor a service of the node here",
            f"the services are {', '.join(one.name for one in SERVICES)}",
        )
    with _sentences():
        files = open_log(place, token)
        try:
            yield Opened(files, trust.given(keys_of(keys)) if keys else trust.found(files, own), token, spec)
        finally:
            files.close()


def _own(folder: DataFolder, service: ServiceSpec) -> VerifierKey:
    """The key of a service's log, as the node here keeps it."""
    try:
        return LogKeys(folder.secrets / "log", folder.config().organisation).public(service.name).log
    except KeyMalformed as error:
        raise NodeError(f"the log keys of {service.name} are missing or spoilt: {error}", "start the node with `tongxin up`") from error


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except Damage as damage:
        raise Found(damage) from damage
    except LogUnreadable as error:
        raise NodeError(str(error)) from error
    except OSError as error:
        raise NodeError(of_file(error)) from error
    except asyncpg.PostgresError as error:
        raise NodeError(f"the service's database cannot be read: {error}") from error


def keys_of(given: Sequence[str]) -> list[VerifierKey]:
    """The verifier keys that somebody names, each as such or as a file of them. Raises UsageError, Damage."""
    found: list[VerifierKey] = []
    for one in given:
        try:
            found += trust.parse_keys(one, Path(one).read_bytes()) if Path(one).is_file() else [VerifierKey.parse(one)]
        except KeyMalformed as error:
            raise UsageError(f"--key {one}: {error}", "a verifier key is name+id+key, as `tongxin log keys` prints it") from error
    if all(key.type != ED25519 for key in found):
        raise UsageError("--key names witnesses only", "name the log's key too, as `tongxin log keys` prints it")
    return found


@command(log, "verify")
def verify_(
    place: Place,
    *,
    key: Keys = None,
    against: Against = None,
    token: Token = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    clock_back: ClockBack = CLOCK_BACK_SECONDS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Verify a whole log: signatures, every tile and entry, all checkpoints, that the records agree; of a service here, its rows too.

    Exit code 1 with one line that names the first thing wrong and where.
    """
    try:
        with opened_log(place, key, token, data_dir) as it:
            kept = [seen for one in against or [] for seen in _kept(one, it.trust)]
            if extract.is_extract(it.files):
                _verify_extract(it.files, it.trust, as_json)
                return
            with progress("verifying") as report:
                found = verify(it.files, it.trust, token=it.token, kept=kept, processes=jobs, clock_back_seconds=clock_back, report=report)
            if it.service is not None:
                with progress("comparing rows") as report:
                    asyncio.run(_compare_rows(opened(data_dir), it.service, it.files, found.head.size, report))
    except Found as wrong:
        if as_json:
            out.print_json(data={"whole": False} | {name: getattr(wrong.damage, name) for name in ("kind", "where", "what", "position")})
            raise typer.Exit(wrong.exit_code) from wrong
        raise
    if as_json:
        out.print_json(data={"whole": True} | _as_json(found))
    else:
        _say(found)
        if it.service is not None:
            out.print(f"the database of {it.service.name} holds the same {found.head.size:,} events, row by row")


async def _compare_rows(folder: DataFolder, service: ServiceSpec, files: LogFiles, size: int, report: Report) -> None:
    settings = environment(folder, service)
    connection = await asyncpg.connect(settings["TONGXIN_DATABASE_DSN"], passfile=settings["PGPASSFILE"])
    try:
        await rows.compare(connection, files, size, report)
    finally:
        await connection.close()


def _verify_extract(files: FolderFiles, believed: trust.Trust, as_json: bool) -> None:
    with progress("verifying") as report:
        found = extract.verify_extract(files, believed, report=report)
    if as_json:
        said = {"whole": True, "origin": found.head.origin, "size": found.head.size, "organisation": found.unit}
        streams = {"streams": found.streams, "missing_versions": dict(found.gaps)}
        out.print_json(data=said | {"records": found.records, **streams, "keys_from_log": believed.from_log})
        return
    out.print(
        f"proven: {found.records:,} records of {found.unit} among the {found.head.size:,} events of {found.head.origin}",
        markup=False,
    )
    for line in _completeness(found):
        out.print(line, markup=False)
    _say_trust(believed)


def _completeness(found: extract.Extracted) -> Iterator[str]:
    """What can be said about records that were left out."""
    yield f"of its {found.streams:,} streams {found.streams - len(found.gaps):,} go from their first event on without a gap"
    for stream, missing in list(found.gaps.items())[:GAPS_NAMED]:
        yield f"{missing:,} events of {visible(stream)} are missing between those here: they are about others, or were left out"
    if len(found.gaps) > GAPS_NAMED:
        yield f"and of {len(found.gaps) - GAPS_NAMED:,} more streams: --json names them all"
    yield "that no stream goes on behind its last event here, and that no whole stream was left out, is the server's word"


def _kept(place: str, believed: trust.Trust) -> Iterator[Seen]:
    """A checkpoint's file, or all checkpoints of another copy."""
    if Path(place).is_file():
        yield Seen(place, believed.open(place, Path(place).read_bytes()[: NOTE_BYTES_MAX + 1], quorum=False))
        return
    files = open_log(place)
    for path in (CHECKPOINT, *files.checkpoints()):
        yield Seen(f"{place}/{path}", trust.checkpoint_at(files, path, believed, quorum=False))


def _say(found: Verified) -> None:
    head = found.head
    out.print(f"whole: {head.origin}, {head.size:,} events, {found.checkpoints:,} checkpoints; root {head.root.hex()}", markup=False)
    if head.size:
        out.print(f"its events say that they are of {found.first_time} to {found.last_time}")
    for name, at in found.witnesses:
        out.print(f"cosigned by {name} at {utc(at):%Y-%m-%d %H:%M:%S} UTC", markup=False)
    if not found.witnesses:
        out.print("no witness that is known here has cosigned its newest checkpoint")
    for where in found.given_up:
        out.print(f"{where} speaks of events that were given up when a later epoch was declared", markup=False)
    _say_trust(found.trust)


def _say_trust(believed: trust.Trust) -> None:
    if believed.from_log:
        err.print("the keys are those that lie beside the log: compare them with what the organisation publishes, or name them with --key")


def _as_json(found: Verified) -> dict[str, object]:
    return {
        "origin": found.head.origin,
        "size": found.head.size,
        "root": found.head.root.hex(),
        "checkpoints": found.checkpoints,
        "first_time": found.first_time,
        "last_time": found.last_time,
        "witnesses": [{"name": name, "at": at} for name, at in found.witnesses],
        "given_up": list(found.given_up),
        "keys": [str(party.key) for party in found.trust.policy.logs],
        "keys_from_log": found.trust.from_log,
    }


@command(log, "export")
def export_(
    place: Place,
    target: Annotated[Path, typer.Argument(help="A directory; one that holds an earlier export is brought up to date.")],
    *,
    org: Annotated[
        str | None, typer.Option("--org", help="Only an organisation's records and those below it; its auditor's token.")
    ] = None,
    key: Keys = None,
    token: Token = None,
    data_dir: DataDir = None,
) -> None:
    """Copy a log into a directory, to be verified, replayed and proved from without the node. One that was cut off goes on.

    With --org: the records of one organisation and of those below it, each with what proves it, as its own auditor may have them.
    """
    with opened_log(place, key, token, data_dir) as it, progress("events") as report:
        if org is not None:
            part = extract.extract(it.files, target, it.trust, org, report=report)
            out.print(f"{target}: {part.records:,} records of {org} out of {part.head.size:,} events", markup=False)
            return
        done = export.export(it.files, target, it.trust, report=report)
    out.print(f"{target}: {done.size:,} events, {done.size - done.old:,} of them new, {done.files:,} files written", markup=False)


@command(log, "prove")
def prove(
    place: Place,
    position: Annotated[int, typer.Argument(min=0, help="The event's position.")],
    *,
    target: Annotated[Path, typer.Option("--out", help="The proof: a .tlog-proof file.")],
    record: Annotated[Path | None, typer.Option(help="Where to put the record itself; it is in no proof.")] = None,
    key: Keys = None,
    token: Token = None,
    data_dir: DataDir = None,
) -> None:
    """Write the proof that an event stands in a log. Whoever has it, the record and the log's key needs nothing else."""
    with opened_log(place, key, token, data_dir) as it:
        files = it.files
        # A part lacks tiles by design: what it does not hold is said before a tile is missed.
        content = extract.record_at(files, position) if extract.is_extract(files) else None
        proof = proving.prove(files, it.trust, position)
        if record is not None:
            content = content or proving.record_at(files, it.trust, position)
            proving.check(str(target), proof.encode(), content, it.trust)
            record.write_bytes(content)
        target.write_bytes(proof.encode())
    out.print(f"{target}: the proof of position {position}", markup=False)


@command(log, "check")
def check(
    proof: Annotated[Path, typer.Argument(help="A .tlog-proof file.")],
    *,
    record: Annotated[Path, typer.Option(help="The record's bytes.")],
    key: Annotated[list[str], typer.Option("--key", help="A verifier key, or a file of them, as a bundle's `keys`.")],
    data_dir: Unused = None,
) -> None:
    """Check that a record stands in a log, with nothing but a proof and the log's key."""
    with _sentences():
        content = record.read_bytes()
        position, head = proving.check(str(proof), proof.read_bytes(), content, trust.given(keys_of(key)))
    try:
        said = decode(content)
    except RecordMalformed:
        out.print(f"position {position} of {head.origin} (of {head.size:,} events)", markup=False)
    else:
        what = f"{said.type}, {said.stream} version {said.version}, {said.time:%Y-%m-%d %H:%M:%S} UTC"
        out.print(f"position {position} of {head.origin} (of {head.size:,} events): {what}", markup=False)


@command(log, "disclose")
def disclose(
    service: Annotated[str, typer.Argument(help="The service of the node here that recorded the event.")],
    field: Annotated[str, typer.Argument(help="The sealed field, as the record names it.")],
    *,
    record: Annotated[Path, typer.Option(help="The record's bytes, as `log prove --record` writes them.")],
    target: Annotated[Path, typer.Option("--out", help="The opening: plaintext, for whoever is to see it and nobody else.")],
    data_dir: DataDir = None,
) -> None:
    """Open one sealed field of a record to a third party, by the vault's key; the key itself is not given away."""
    folder = opened(data_dir)
    content = asyncio.run(_disclosed(folder, topology.service(service), _content(record), field))
    with _sentences():
        target.touch(mode=0o600)
        target.write_bytes(content)
    out.print(f"{target}: {field}, for whoever may see it", markup=False)


async def _disclosed(folder: DataFolder, service: ServiceSpec, record: bytes, field: str) -> bytes:
    kept, port = Secrets(folder.secrets), folder.config().ports.vault
    dsn = f"postgresql://{service.name}:{kept.password(service)}@127.0.0.1:{port}/{topology.VAULT}"
    vault = PostgresVault(dsn, MasterKey.from_file(kept.master_key), connections=1)
    try:
        await vault.start()
        try:
            return await opening.disclose(record, field, vault)
        finally:
            await vault.close()
    except (KeyMissing, PurposeForbidden, SealBroken, VaultUnavailable) as error:
        raise NodeError(str(error)) from error


@command(log, "open")
def open_(
    disclosed: Annotated[Path, typer.Argument(metavar="OPENING", help="What `log disclose` wrote.")],
    *,
    record: Annotated[Path, typer.Option(help="The record's bytes; `log check` shows that the log holds them.")],
    data_dir: Unused = None,
) -> None:
    """Check an opened field against the commitment in its record, with nothing else at hand, and print its value."""
    with _sentences():
        field, value = opening.check(str(disclosed), _content(record), _content(disclosed))
    out.print(f"{field}: {visible(value)}", markup=False)


def _content(file: Path) -> bytes:
    with _sentences():
        return file.read_bytes()
