"""The bank over HTTP: one attempt for a file, bounded questions, bounded answers."""

import asyncio
import re
from datetime import date
from typing import Any

import httpx
import orjson
import structlog
from contracts.assistance.payments import Channel

from assistance.bank.port import BankUnreachable, NoAnswer, RefusedFile, Taken

ANSWER_BYTES_MAX = 100_000_000
"""A report on 10,000 payments is a few megabytes; what is longer than this is none."""

SEND_SECONDS_MAX = 60.0
ASK_SECONDS_MAX = 30.0

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MEDIA = {Channel.iso20022: "application/xml", Channel.template: XLSX}
_CODE = re.compile(r"[A-Z0-9]{4}")

log = structlog.get_logger()


class HttpBank:
    """A bank at a base URL. `client` has no retries of its own."""

    def __init__(self, url: str, client: httpx.AsyncClient, *, send_seconds: float = SEND_SECONDS_MAX) -> None:
        self._url, self._client, self._send_seconds = url.rstrip("/"), client, send_seconds

    async def send(self, file: bytes, channel: Channel) -> Taken | RefusedFile | NoAnswer:
        """Only a clear yes is Taken, and only a no with the bank's code is RefusedFile; what something in between says is no answer."""
        try:
            status, answer = await self._ask(
                "POST", "/payment-files", self._send_seconds, content=file, headers={"content-type": _MEDIA[channel]}
            )
        except BankUnreachable as error:
            log.warning("the bank did not answer", error=type(error.__cause__).__name__)
            return NoAnswer()
        if status in (200, 201, 202):
            return Taken()
        code = _code(answer) if status == 400 else None
        return NoAnswer() if code is None else RefusedFile(code, answer)

    async def status(self, message: str) -> bytes | None:
        """Raises BankUnreachable."""
        return await self._get(f"/payment-files/{message}")

    async def statement(self, account: str, day: date) -> bytes | None:
        """Raises BankUnreachable."""
        return await self._get(f"/statements/{account}/{day}")

    async def _get(self, path: str) -> bytes | None:
        status, answer = await self._ask("GET", path, ASK_SECONDS_MAX)
        if status == 404:
            return None
        if status != 200:
            raise BankUnreachable(f"the bank answers {status}")
        return answer

    async def _ask(self, method: str, path: str, seconds_max: float, **request: Any) -> tuple[int, bytes]:
        try:
            # httpx bounds each read; a bank that answers a byte a minute is bounded here.
            async with (
                asyncio.timeout(seconds_max),
                self._client.stream(method, self._url + path, timeout=seconds_max, **request) as response,
            ):
                answer = bytearray()
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise BankUnreachable("the bank's answer does not end")
                return response.status_code, bytes(answer)
        except (httpx.HTTPError, OSError) as error:
            raise BankUnreachable("the bank cannot be asked") from error


def _code(answer: bytes) -> str | None:
    try:
        code = orjson.loads(answer)["detail"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
