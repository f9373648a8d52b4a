"""Runs services as `python -m <service>` does, without the parts named, to show their need; and the simulated bank.

`python program.py SERVICE…` imports these services, and then forks a process for every line on its input (`born`): one that is killed
again and again spends its time at work and not with imports, which take seconds.

The services get one more projection, the tally: how often each event of membership took effect in their views. And both can be told
while they run what to leave out from then on: `POST /without`.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvicorn
from foundation import consumer
from foundation.broker.port import Message
from foundation.continuity import Arrived, Following
from foundation.cursor import Connection, Cursor
from foundation.history import Happened
from foundation.ids import random_id
from foundation.projections import Projection, Table, Tables
from foundation.record import leaf_hash
from foundation.service import Service, run
from foundation.settings import Settings
from foundation.store.guard import RollbackGuard
from simulated_bank import app as bank
from simulated_bank.behaviour import Behaviour
from starlette.requests import Request
from starlette.responses import Response


async def _count(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    # Not idempotent on purpose: what is applied twice shows.
    times = Counter(one.position for one in batch)
    await connection.execute(
        f"insert into {tables['tally']} as t (position, times) select * from unnest($1::bigint[], $2::integer[])"
        " on conflict (position) do update set times = t.times + excluded.times",
        *(list(times), list(times.values())),
    )


TALLY = Projection(
    name="tally",
    source="membership",
    version=1,
    tables=(Table("tally", "position bigint primary key, times integer not null"),),
    apply=_count,
)


def create_app(name: str, settings: Settings) -> Service:
    """The service as its own `main` declares it, with the tally and the route that leaves parts out."""
    service: Service = import_module(f"{name}.main").create_app(settings)
    service.declaration = replace(service.declaration, projections=(*service.declaration.projections, TALLY))
    service.http.add_route("/without", leave_out, methods=["POST"])
    return service


async def leave_out(request: Request) -> Response:
    """From now on without the parts that the body lists, and with all others."""
    patch.stopall()
    for part in await request.json():
        WITHOUT[part]()
    return Response(status_code=204)


def settings_of(name: str, **values: Any) -> Settings:
    """The service's settings, from the environment unless they are given."""
    settings: Settings = import_module(f"{name}.settings").Settings(**values)
    return settings


# ------------------------------------------------------------------------------------------------ what can be left out


def without_continuity() -> None:
    """A consumer that takes what the topic brings as it comes, as one that trusts Kafka would."""

    def trusting(_: Cursor, messages: Sequence[Message]) -> Following:
        return Following(tuple(Arrived(one.position, one.value, leaf_hash(one.value)) for one in messages), None)

    patch.object(consumer, "follow", trusting).start()


def without_reconcile() -> None:
    """A consumer that hears of nothing but what the topic brings."""

    async def never(_: consumer.Consumer) -> None:
        await asyncio.Event().wait()

    patch.object(consumer.Consumer, "reconcile", never).start()


def without_guard() -> None:
    """A history that is written whatever others have seen of it."""

    async def trusting(_: RollbackGuard) -> None:
        return

    patch.object(RollbackGuard, "check", trusting).start()


# What keeps money from going out twice or further than it reaches; assistance only.


def without_silence() -> None:
    """A sender that takes silence for a no."""
    http = import_module("assistance.bank.http")
    send = http.HttpBank.send

    async def impatient(self: Any, file: bytes, channel: Any) -> Any:
        answer = await send(self, file, channel)
        return http.RefusedFile("NOAS", b"") if isinstance(answer, http.NoAnswer) else answer

    patch.object(http.HttpBank, "send", impatient).start()


def without_patience() -> None:
    """A sender that takes "I do not know that file" for a no, on the first asking."""
    sending = import_module("assistance.batches.sending")
    ask = sending.Sender._ask

    async def hasty(self: Any, app: Any, bank: Any, *of: Any) -> None:
        batch, state, by = of
        if isinstance(state, sending.Sending) and await bank.status(batch) is None:
            await app.handler.handle(sending.BATCH, batch, sending.commands.Refuse(batch, "NOAS", sha256(b"").hexdigest()), by=by)
        else:
            await ask(self, app, bank, *of)

    patch.object(sending.Sender, "_ask", hasty).start()


def without_mark() -> None:
    """A sender that records that it began to send once it has sent."""
    sending = import_module("assistance.batches.sending")
    send = sending.Sender._send

    async def afterwards(self: Any, app: Any, bank: Any, *of: Any) -> None:
        batch, state, by = of
        file = await sending.render(app, batch, state, by.principal)
        answer = await bank.send(file, sending.Channel(state.contents.opened.channel))

        async def answered(*_: object) -> Any:
            return answer

        with patch.object(bank, "send", answered):
            await send(self, app, bank, *of)

    patch.object(sending.Sender, "_send", afterwards).start()


def without_begun() -> None:
    """A batch whose sending can be begun by two, and both send."""
    batches = import_module("assistance.batches.batch")
    begin = batches._begin_sending

    def again(command: Any, batch: Any) -> Any:
        return [] if isinstance(batch, batches.Sending | batches.Accepted) else begin(command, batch)

    patch.object(batches, "_begin_sending", again).start()


def without_asking() -> None:
    """A sender that sends again what it finds begun, rather than ask what became of it."""
    without_begun()
    sending = import_module("assistance.batches.sending")
    step = sending.Sender.step

    async def again(self: Any, app: Any, batch: str) -> None:
        state, _ = await app.state(sending.BATCH, batch)
        if isinstance(state, sending.Sending):
            by = sending.worker(app)
            await self._send(app, self._bank, batch, sending.Released(state.contents, state.file, by.principal), by)
        else:
            await step(self, app, batch)

    patch.object(sending.Sender, "step", again).start()


def without_duplicates() -> None:
    """A sender to whom "I have that file already" is a refusal like any other."""
    http = import_module("assistance.bank.http")
    send = http.HttpBank.send

    async def deaf(self: Any, file: bytes, channel: Any) -> Any:
        answer = await send(self, file, channel)
        known = isinstance(answer, http.RefusedFile) and answer.code == "DU01"
        return http.RefusedFile("NARR", answer.answer) if known else answer

    patch.object(http.HttpBank, "send", deaf).start()


def without_alive() -> None:
    """A payment that may be instructed while an earlier instruction is alive, or has paid."""
    patch.object(import_module("assistance.payments.payment"), "_may_pay", lambda *_: True).start()


def without_over() -> None:
    """A payment that forgets what came back already: told again, it is of whatever was paid since."""
    payment = import_module("assistance.payments.payment")
    heard = payment._heard

    def forgetful(command: Any, state: Any) -> Any:
        if isinstance(command, payment.commands.Bounce) and isinstance(state, payment.Done):
            command = replace(command, instruction=state.instruction, reversal=random_id())
        return heard(command, state)

    patch.object(payment, "_heard", forgetful).start()


def without_draw() -> None:
    """A budget line that gives what it does not have."""
    lines = import_module("assistance.funds.budget_line")

    def beyond(_: Any, amounts: Sequence[int]) -> list[Any]:
        return [(lines.Drawn(lot=1, fen=fen),) for fen in amounts]

    patch.object(lines, "draw", beyond).start()


WITHOUT: dict[str, Callable[[], None]] = {
    "continuity": without_continuity,
    "reconcile": without_reconcile,
    "guard": without_guard,
    "silence": without_silence,
    "patience": without_patience,
    "mark": without_mark,
    "begun": without_begun,
    "asking": without_asking,
    "duplicates": without_duplicates,
    "alive": without_alive,
    "over": without_over,
    "draw": without_draw,
}


def serve(service: str, parts: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be a service, without these parts."""
    os.environ.update(environment)
    for part in parts:
        WITHOUT[part]()
    run(lambda settings: create_app(service, settings), settings_of(service))


def keep_bank(folder: str, port: int, hang_seconds: float, behaviour: Mapping[str, Any]) -> None:
    """Be the bank, on the log in a folder."""
    app = bank.create_app(Path(folder), behaviour=Behaviour(**behaviour), hang_seconds=hang_seconds)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


TRADES: dict[str, Callable[..., None]] = {"service": serve, "bank": keep_bank}


def born(log: str, trade: str, how: Mapping[str, Any]) -> None:
    """What a forked process does: in a session of its own, its output appended to the log, it takes up its trade."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for place, flags, targets in ((os.devnull, os.O_RDONLY, (0,)), (log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, (1, 2))):
        opened = os.open(place, flags, 0o600)
        for target in targets:
            os.dup2(opened, target)
    TRADES[trade](**how)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        import_module(f"{name}.main")
        import_module(f"{name}.settings")
    gc.freeze()  # what was imported is shared, not copied
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for them
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            born(**json.loads(line))
            sys.exit()
        print(pid, flush=True)  # noqa: T201 - the answer
