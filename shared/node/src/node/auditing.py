"""`tongxin replay` and `tongxin explain`: what follows from a history, in tables and in words."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any

import httpx
import typer
from foundation.log.as_of import NotYet, as_of, entries
from foundation.log.damage import Damage
from foundation.log.note import VerifierKey
from foundation.log.reader import LogFiles, LogUnreadable, open_log
from foundation.log.text import to_base64
from foundation.log.trust import found, given
from foundation.log.verify import verify
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node import explain as stories
from node import replay as replays
from node.access import Access, Caller
from node.declared import keeper_of
from node.errors import NodeError, Refused, UsageError
from node.folder import DataFolder
from node.log import Keys, keys_of
from node.moments import moment
from node.terminal import AsJson, DataDir, command, err, opened, out, visible

Token = Annotated[str | None, typer.Option("--token", envvar="TONGXIN_TOKEN", help="An auditor's, where entries come over HTTP.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="A day (to its end, in China) or a moment with its zone.")]


PAGE = 200
"""How many events of a story are asked for at once."""


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "replay")
    def replay(
        log: Annotated[str, typer.Argument(help="An exported directory, or the address of a log (https://…/log).")],
        *,
        into: Annotated[str, typer.Option("--into", help="DSN of an empty PostgreSQL database.")],
        as_of: AsOf = None,
        size: Annotated[int | None, typer.Option(min=0, help="Only the first so many events.")] = None,
        keys: Keys = None,
        token: Token = None,
        processes: Annotated[int, typer.Option(min=1, help="How many processes verify.")] = 1,
        data_dir: DataDir = None,
        as_json: AsJson = False,
    ) -> None:
        """Verify a history, make the services' read models from it in an empty database, and compare them with the live node's.

        Exit code 1 where the log is damaged or the node shows anything else than its history says.
        """
        with _log(log, token) as files, _progress() as told:
            done = replays.run(
                files,
                into,
                keys=_believed(keys),
                token=token,
                moment=moment(as_of) if as_of else None,
                size=size,
                live=_live(log, token, opened(data_dir)),
                processes=processes,
                told=told,
            )
        if as_json:
            out.print_json(data=_as_data(done))
        else:
            _print(done)
        if done.differs:
            raise typer.Exit(1)

    @command(app, "explain")
    def explain(
        stream: Annotated[str, typer.Argument(help="As in member-0f0f…: what `subject` of a record says.")],
        *,
        log: Annotated[str | None, typer.Option("--log", help="An exported directory or a log's address instead of the node here.")] = None,
        as_of: AsOf = None,
        keys: Keys = None,
        token: Token = None,
        data_dir: DataDir = None,
    ) -> None:
        """Tell everything that happened in one stream, in Chinese and in English.

        The node opens the sealed values that its administrator may read, and says where one was erased; from a log alone they stay sealed.
        """
        chapters = _from_log(log, stream, as_of, keys, token) if log else _from_node(Access(opened(data_dir)), stream, as_of)
        if not chapters:
            raise NodeError(f"nothing has happened in {stream}" + (f" as of {as_of}" if as_of else ""))
        for chapter in chapters:
            out.print(visible(str(chapter)), markup=False)


# ------------------------------------------------------------------------------------------------------------- replay


@contextmanager
def _log(place: str, token: str | None) -> Iterator[LogFiles]:
    try:
        files = open_log(place, token)
    except LogUnreadable as error:
        raise UsageError(str(error)) from error
    with closing(files):
        yield files


@contextmanager
def _progress() -> Iterator[replays.Told]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        tasks = {what: bar.add_task(what, total=None, visible=False) for what in ("verified", "replayed")}
        yield lambda what, done, total: bar.update(tasks[what], completed=done, total=total, visible=True)


def _believed(keys: list[str] | None) -> list[VerifierKey]:
    try:
        return keys_of(keys) if keys else []
    except Damage as damage:
        raise UsageError(str(damage)) from damage


def _live(log: str, token: str | None, folder: DataFolder) -> replays.LiveAt:
    """The node whose log it is, where it can be asked: the service at the log's own address, else the node that runs here."""
    if log.startswith("http"):
        return lambda service, source, position: _remote(log, token, service, source, position)
    if not folder.exists() or not folder.runs():
        return lambda service, source, position: "not compared: no node runs here"
    access = Access(folder)

    def ask(service: str, source: str, position: int) -> replays.Live | str:
        try:
            with access.caller(service) as caller:
                return digests_in(caller.get("/operation/digests", params={"source": source, "at": position}).json())
        except Refused as refused:
            return f"not compared: {refused.what}"

    return ask


def _remote(log: str, token: str | None, service: str, source: str, position: int) -> replays.Live | str:
    if service != source:
        return "not compared: it is another service's"
    try:
        answer = httpx.get(
            f"{log.rstrip('/').removesuffix('/log')}/operation/digests",
            params={"source": source, "at": position},
            headers={"authorization": f"Bearer {token}"},
            timeout=600,
        )
        return digests_in(answer.raise_for_status().json())
    except (httpx.HTTPError, ValueError) as error:
        return f"not compared: {type(error).__name__}"


def digests_in(answer: list[dict[str, Any]]) -> replays.Live:
    """What `GET /operation/digests` answered."""
    return replays.Live(
        {(one["projection"], one["version"]): one["digest"] for group in answer for one in group["projections"]},
        all(group["live"] for group in answer),
    )


def _as_data(done: replays.Replay) -> dict[str, Any]:
    return {
        "origin": done.head.origin,
        "verified": {"size": done.head.size, "root": to_base64(done.head.root), "keys_from_log": done.trust_from_log},
        "checkpoint": {
            "size": done.stood.checkpoint.size,
            "root": to_base64(done.stood.checkpoint.root),
            "at": done.stood.at.isoformat(),
            "witness": done.stood.witness,
        },
        "replayed": {"size": done.outcome.size, "root": to_base64(done.outcome.root)},
        "projections": [
            {"service": one.service, "projection": one.projection, "version": one.version, "digest": one.digest, "node": one.node}
            for one in done.compared
        ],
        "left_out": list(done.left_out),
    }


def _print(done: replays.Replay) -> None:
    stood = done.stood
    by = f"witnessed by {stood.witness}" if stood.witness else "UNWITNESSED: its last record's own time, the operator's claim"
    trust = " (keys from the log itself: it only proves that all fits together)" if done.trust_from_log else ""
    out.print(f"{done.head.origin}: {done.head.size:,} events verified{trust}", markup=False)
    out.print(f"checkpoint of {stood.checkpoint.size:,} events, {stood.at:%Y-%m-%d %H:%M:%S} UTC, {by}", markup=False)
    out.print(f"replayed {done.outcome.size:,} events, root {to_base64(done.outcome.root)}", markup=False)
    head = ("service", "projection", "version", "digest", "live node")
    rows = [head, *((one.service, one.projection, str(one.version), one.digest, one.node) for one in done.compared)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # as wide as it is, for whoever compares digests or searches in a file
        out.print("  ".join(map(str.ljust, row, widths)).rstrip(), markup=False)
    if done.left_out:
        out.print(f"left out, because they hold plaintext and lie in the vault: {', '.join(done.left_out)}", markup=False)


# ------------------------------------------------------------------------------------------------------------ explain


def _from_node(access: Access, stream: str, as_of: str | None) -> list[stories.Chapter]:
    until = moment(as_of) if as_of else None
    service = keeper_of(stream)
    if service is None:
        raise UsageError(f"no service keeps streams like {stream}", "a stream is <category>-<id>, as in member-0f0f…")
    with access.caller(service) as caller:
        chapters = [chapter for page in _pages(caller, f"/streams/{stream}/story") for chapter in stories.of_answer(page, stream)]
    return [chapter for chapter in chapters if until is None or chapter.recorded_at <= until]


def _pages(caller: Caller, path: str) -> Iterator[list[Any]]:
    """The items of a list that is given page by page."""
    cursor: str | None = None
    while True:
        page = caller.get(path, params={"limit": PAGE} | ({"cursor": cursor} if cursor else {})).json()
        yield page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def _from_log(log: str, stream: str, moment_: str | None, keys: list[str] | None, token: str | None) -> list[stories.Chapter]:
    until = moment(moment_) if moment_ else None
    with _log(log, token) as files, _progress() as told:
        try:
            trust = given(_believed(keys)) if keys else found(files)
            head = verify(files, trust, token=token, report=lambda *at: told("verified", *at)).head
            size = head.size if until is None else as_of(files, trust, until).checkpoint.size
            return list(stories.of_records(entries(files, size, head.size), stream))
        except Damage as damage:
            raise NodeError(f"the log is damaged ({damage.kind}): {damage}") from damage
        except (LogUnreadable, NotYet) as error:
            raise NodeError(str(error)) from error
