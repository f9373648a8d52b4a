"""The bank in memory: for tests, and as the shortest statement of what the port means. It pays nobody; reports are put into it."""

from datetime import date

from contracts.assistance.payments import Channel

from assistance.bank.port import NoAnswer, RefusedFile, Taken


class MemoryBank:
    """Keeps the files that it was given. `silent`: it takes them and does not say so."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.files: list[bytes] = []
        self.reports: dict[str, bytes] = {}
        self.statements: dict[tuple[str, date], bytes] = {}

    async def send(self, file: bytes, channel: Channel) -> Taken | RefusedFile | NoAnswer:
        """The same bytes again are refused as a duplicate (DU01)."""
        if file in self.files:
            return RefusedFile("DU01", b"")
        self.files.append(file)
        return NoAnswer() if self.silent else Taken()

    async def status(self, message: str) -> bytes | None:
        return self.reports.get(message)

    async def statement(self, account: str, day: date) -> bytes | None:
        return self.statements.get((account, day))
