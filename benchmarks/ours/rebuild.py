"""The directory (its tables in the service's database and its search tables in the vault) rebuilt from a history of admissions.

python -m benchmarks.ours.rebuild DSN VAULT_DSN MEMBERS
"""

import asyncio
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import uvloop
from contracts import membership as events
from contracts.kernel import Catalogue
from contracts.values import DocumentKind, identity_document
from foundation.commands import Actor
from foundation.http.caller import Application
from foundation.projections import groups
from foundation.rebuild import rebuild_together
from membership.directory.members import MEMBERS, PEOPLE
from membership.members import commands
from membership.members.commands import Person
from membership.members.joining import ADMISSION
from membership.rosters.sample import HEADINGS, sample_rows

from benchmarks.load import report
from benchmarks.ours.membership_node import UNION, prepare
from benchmarks.ours.read import limit

BY = Actor("5" * 32, UNION, "bench")
AT_ONCE = 500
ROUNDS = 3
JOINED = date(2026, 3, 2)


async def fill(app: Application, members: int) -> None:
    """Admit the good rows of a sample roster."""
    rows, _ = sample_rows(members * 2, UNION, bad_share=0)
    number, name, kind, phone = (HEADINGS.index(heading) for heading in ("证件号码", "姓名", "证件类型", "手机号码"))
    residents = [row for row in rows if "居民身份证" in row[kind]][:members]
    for start in range(0, len(residents), AT_ONCE):
        some = residents[start : start + AT_ONCE]
        documents = [identity_document(DocumentKind.resident, row[number], today=JOINED) for row in some]
        people = await app.vault.persons([(document.kind.value, document.number, document.issuer) for document in documents])
        await asyncio.gather(
            *(
                app.handler.handle_joint(
                    ADMISSION, commands.Admit(person, UNION, Person(row[name], document, row[phone] or None), JOINED, None), by=BY
                )
                for row, document, person in zip(some, documents, people, strict=True)
            )
        )


async def main(dsn: str, vault_dsn: str, bootstrap: str, members: int, folder: Path) -> None:
    """Rebuild in turn with reading alone; quote the median."""
    node = await prepare(dsn, vault_dsn, bootstrap, folder)
    async with node.inside() as app:
        await fill(app, members)
        pools = {"service": app.pool, "vault": app.search}
        rates, limits = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            count = await limit(app.pool)
            limits.append(count / (time.perf_counter() - began))
            began = time.perf_counter()
            directory = groups("membership", [MEMBERS, PEOPLE], Catalogue.of(events), opener=app.sealer)
            await rebuild_together([(group, pools[group.home]) for group in directory], app.store)
            rates.append(count / (time.perf_counter() - began))
        report(rate=sorted(rates)[1], limit=sorted(limits)[1], events=count)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        uvloop.run(main(sys.argv[1], sys.argv[2], "in memory", int(sys.argv[3]), Path(scratch)))
