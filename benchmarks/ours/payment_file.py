"""A payment file to a bank (pain.001.001.09), rendered and validated against its schema piece by piece, to a disk.

python -m benchmarks.ours.payment_file ITEMS
The limit: lxml validates the same bytes, and nothing else. Memory is the process's peak, against that of a file of 1,000.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import overload

from assistance.bank import pain001
from assistance.bank.port import Order, PaymentFile
from contracts.assistance.hardship import BankAccount
from lxml import etree

from benchmarks.load import report

FEW = 1_000


class Orders(Sequence[Order]):
    """Orders that are made when they are asked for, so that the memory measured is the writer's."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Order: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Order]: ...
    def __getitem__(self, at: int | slice) -> Order | Sequence[Order]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(self._count))]
        if at >= self._count:
            raise IndexError(at)
        account = BankAccount(bank="农行泰安岱岳支行", name="欧阳娜娜", number=f"622848{at:013d}")
        return Order(f"{at:032x}", f"{at + 10**9:032x}", 150_000 + at % 7, account)


def _file(items: int) -> PaymentFile:
    return PaymentFile("d" * 32, "370911000001", "泰安市总工会", "农行", date(2026, 12, 1), Orders(items))


def _write(path: Path, items: int) -> None:
    with path.open("wb") as out:
        out.writelines(pain001.pieces(_file(items)))


def _validate(path: Path, _: int) -> None:
    for _event, transfer in etree.iterparse(path, events=("end",), tag=f"{{{pain001.NAMESPACE}}}CdtTrfTxInf", schema=pain001._schema()):
        transfer.clear()


def _measured(what: Callable[[Path, int], None], path: Path, items: int) -> dict[str, float]:
    cpu, clock = time.process_time(), time.perf_counter()
    what(path, items)
    seconds = time.perf_counter() - clock
    return {"seconds": seconds, "cpu": time.process_time() - cpu, "mb": path.stat().st_size / 1e6, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(items: int) -> None:
    """A few first, so that what is loaded once counts for nobody."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.xml"
        few = _measured(_write, path, FEW)
        ours = _measured(_write, path, items)
        report(items=items, few=few, ours=ours, limit=_measured(_validate, path, items))


if __name__ == "__main__":
    main(int(sys.argv[1]))
