"""The last name that forms and accounts gave of each person, in the vault's database: an erasure takes it out of there."""

from collections.abc import Sequence

from contracts.assistance.applications import AccountGiven, ApplicationDrafted
from contracts.assistance.hardship import BankAccount, HardshipFileOpened, HardshipFileRevised
from contracts.kernel import Event, PersonId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables


def named(event: Event) -> tuple[PersonId, str] | None:
    """Whom an opened event names, and how; None where it names nobody, or the name was erased."""
    match event:
        case ApplicationDrafted(person=person, name=str(name)):
            return person, name
        case (
            ApplicationDrafted(payee=person, account=BankAccount(name=name))
            | AccountGiven(payee=person, account=BankAccount(name=name))
            | HardshipFileOpened(applicant=person, account=BankAccount(name=name))
            | HardshipFileRevised(applicant=person, account=BankAccount(name=name))
        ):
            return person, name
        case _:
            return None


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """One statement: the last name counts."""
    last = dict(found for one in batch if (found := named(one.event)) is not None)
    await connection.execute(
        f"insert into {tables['aid_names']} (person, name) select * from unnest($1::text[], $2::text[])"  # noqa: S608 - our own table's name
        " on conflict (person) do update set name = excluded.name",
        list(last),
        list(last.values()),
    )


NAMES = Projection(
    name="aid_names",
    source="assistance",
    version=1,
    tables=(Table("aid_names", "person text primary key, name text not null", personal=frozenset({"name"})),),
    apply=apply,
    home="vault",
    opens=frozenset({"name", "account"}),
    events=frozenset({ApplicationDrafted, AccountGiven, HardshipFileOpened, HardshipFileRevised}),
)


async def names_of(vault: Pool, people: Sequence[PersonId]) -> dict[PersonId, str]:
    """The names of people; who is erased, or was never named, is not there."""
    rows = await vault.fetch("select person, name from aid_names where person = any ($1)", list(people))
    return {row["person"]: row["name"] for row in rows}
