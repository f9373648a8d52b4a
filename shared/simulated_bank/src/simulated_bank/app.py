"""The bank over HTTP: payment files in, status reports and statements out, and its log for whoever checks what really happened."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from simulated_bank import pain001, reports, template
from simulated_bank.behaviour import Behaviour, falls_on
from simulated_bank.book import Account, AccountState, Book, Received, utc_now
from simulated_bank.orders import FileRefused

FILE_BYTES_MAX = 200_000_000
HANG_SECONDS = 30.0
"""How long a request hangs whose answer never comes; most clients have given up before."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class AccountBody(BaseModel):
    """An account to open or change; money in fen."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(min_length=4, max_length=34, pattern=r"^[0-9A-Za-z]+$")
    name: str = Field(min_length=1, max_length=140)
    state: AccountState = AccountState.open
    fen: int = Field(default=0, ge=0, le=10**15)
    limit_fen: int = Field(default=0, ge=0, le=10**15)


def create_app(
    folder: Path, *, behaviour: Behaviour | None = None, hang_seconds: float = HANG_SECONDS, now: Callable[[], datetime] = utc_now
) -> FastAPI:
    """The bank, with its log in a folder. `now`: its clock."""
    book = Book(folder / "log.jsonl", behaviour or Behaviour(), now)
    asks: dict[str, int] = {}
    app = FastAPI(title="Simulated bank")

    @app.post("/accounts", status_code=204)
    async def open_accounts(accounts: Annotated[Sequence[AccountBody], Body(max_length=200_000)]) -> None:
        """Open accounts, or change those that are there."""
        book.open_accounts(Account(one.account, one.name, one.state, one.fen, one.limit_fen) for one in accounts)

    @app.get("/accounts/{account}")
    async def account(account: str) -> AccountBody:
        """An account as it stands."""
        found = book.accounts.get(account)
        if found is None:
            raise HTTPException(404, "账号不存在")
        return AccountBody(account=found.account, name=found.name, state=found.state, fen=found.fen, limit_fen=found.limit_fen)

    @app.put("/behaviour")
    async def behave(behaviour: Behaviour) -> Behaviour:
        """From now on, go wrong like this."""
        book.behaviour = behaviour
        return behaviour

    @app.post("/payment-files", status_code=202)
    async def take(request: Request) -> dict[str, str]:
        """A payment file: pain.001.001.09, or the branch's template (Excel). 400 with code and reason where it is refused."""
        if falls_on(book.count("file-asked"), book.behaviour.lost_files_every):
            raise HTTPException(503, "通讯故障")
        data = await _body(request)
        is_template = request.headers.get("content-type", "").startswith(XLSX)
        try:
            # A thread reads it: a large file must not keep others waiting.
            file = await asyncio.to_thread(template.read if is_template else pain001.read, data)
            book.execute(file, "template" if is_template else "pain.001.001.09")
        except FileRefused as refused:
            raise HTTPException(400, {"code": refused.code, "reason": refused.reason}) from refused
        if falls_on(book.count("file-taken"), book.behaviour.hung_files_every):
            await asyncio.sleep(hang_seconds)
            raise HTTPException(504, "交易超时")
        return {"message": file.message}

    @app.get("/payment-files/{message}")
    async def status(message: str) -> Response:
        """The status report of a file, in the format that the file came in; 404 where the bank does not know it (yet)."""
        asks[message] = asks.get(message, 0) + 1
        received = book.files.get(message)
        if received is None or asks[message] <= book.behaviour.late_asks:
            raise HTTPException(404, "查无此文件")
        report, media = await asyncio.to_thread(_report, received, book.behaviour, book.now())
        if falls_on(book.count("report"), book.behaviour.broken_reports_every):
            report = report[: len(report) // 2]
        return Response(report, media_type=media)

    @app.delete("/payment-files/{message}", status_code=204)
    async def disown(message: str) -> None:
        """The bank's letter that it never had a file, and that it will not take it should it come yet; 409 where it has it."""
        if not book.disown(message):
            raise HTTPException(409, "文件已受理")

    @app.get("/statements/{account}/{day}")
    async def statement(account: str, day: date) -> Response:
        """The statement (camt.053.001.08) of an account for a day (UTC)."""
        if account not in book.accounts:
            raise HTTPException(404, "账号不存在")
        told = reports.statement(account, day, book.statement(account, day), book.closing_fen(account, day))
        return Response(told, media_type="application/xml")

    @app.get("/log")
    async def log() -> Response:
        """Everything that happened at the bank, one JSON object a line."""
        return Response(book.path.read_bytes(), media_type="application/x-ndjson")

    return app


def _report(received: Received, behaviour: Behaviour, now: datetime) -> tuple[bytes, str]:
    pending = (now - received.at).total_seconds() < behaviour.pending_seconds
    if received.format == "template":
        said = {"done": ("成功", ""), "rejected": ("失败", None)}
        rows = []
        for result in received.results:
            if result.status in said:
                word, reason = ("处理中", "") if pending else said[result.status]
                rows.append((result.order, word, result.reason if reason is None else reason))
        return template.answer(received.file, rows * (2 if behaviour.repeated_reports else 1)), XLSX
    return reports.status(received, pending=pending, repeated=behaviour.repeated_reports), "application/xml"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FILE_BYTES_MAX:
            raise HTTPException(413, "文件过大")
    return bytes(body)
