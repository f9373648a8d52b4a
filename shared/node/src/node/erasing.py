"""A person's erasure from the operator's side: ordered, waited for, purged, and certified (docs/decisions/0012-erasure.md)."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
from contracts.foundation import ErasureBasis
from foundation.ids import command_id
from foundation.log import proving
from foundation.log.reader import LogUnreadable
from foundation.texts import LANGUAGES
from foundation.vault.keeper import PurgeIncomplete
from membership.erasures.sentences import sentence

from node.access import Access
from node.databases import keeper
from node.errors import NodeError, NotReady, NotRunning, UsageError
from node.folder import DataFolder
from node.log import opened_log
from node.topology import SERVICES

CARRIED_OUT_SECONDS_MAX = 90
"""How long the services' answers are waited for; what is late is carried out all the same."""

PROVED_SECONDS_MAX = 30
"""How long a checkpoint that covers the records is waited for."""

FORMAT = "tongxin-erasure/1"


def grounds(basis: str) -> tuple[ErasureBasis, str | None]:
    """The ground in PIPL 47 and the words beside it, of what somebody gives as a basis: one of the grounds' codes, or words."""
    if basis in set(ErasureBasis):
        return ErasureBasis(basis), None
    if not basis.strip():
        raise UsageError("a basis has words", f"or is one of {', '.join(ErasureBasis)}")
    return ErasureBasis.other_law, basis


def checked(person: str) -> None:
    """Raises UsageError where this can be nobody's id."""
    if not re.fullmatch("[0-9a-f]{32}", person):
        raise UsageError(f"{person} is no person's id", "it has 32 digits of 0-9a-f, as the directory shows it")


def erase(access: Access, folder: DataFolder, person: str, basis: str, report: Callable[[str], None]) -> dict[str, Any]:
    """Have a person erased and return the certificate. The same again changes nothing and certifies what stands now.

    Raises UsageError, Refused where nobody of this id is known, and NotReady where a service does not carry it out in time.
    """
    checked(person)
    ground, note = grounds(basis)
    report("the order")
    with access.caller("membership") as caller:
        # One order a person: a repetition is the same command, whatever the words.
        caller.post(
            f"/people/{person}/erasure", json={"basis": ground, "note": note}, key=str(command_id("erasure", person, ground, note or ""))
        )
    report("keys, service by service")
    told = _carried_out(access, person)
    report("search tables and what the disk still holds")
    purged = purge(folder)
    for name, one in told.items():
        report(f"proofs from the log of {name}")
        one["log"] = prove(folder, name, one["records"])
    return certificate(access.organisation, person, told, purged)


def certificate(organisation: str, person: str, told: dict[str, dict[str, Any]], purged: dict[str, Any]) -> dict[str, Any]:
    """What was destroyed when, what is kept until when, and the records that prove it. Ids, codes and times only."""
    order = told["membership"]
    done = all(one["done"] for one in told.values())
    state = "erased" if done else "restricted"
    return {
        "format": FORMAT,
        "node": organisation,
        "person": person,
        "erasure": order["erasure"],
        "basis": order["basis"],
        "ordered_at": order["ordered_at"],
        "issued_at": datetime.now(UTC).isoformat(),
        "state": state,
        "statement": {language: sentence(state, language) for language in LANGUAGES},
        "services": {
            name: {part: one[part] for part in ("carried_out", "done", "destroyed", "kept", "log", "records")} for name, one in told.items()
        },
        "search": purged,
    }


def prove(folder: DataFolder, name: str, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give each record its inclusion proof (C2SP tlog-proof, text) once the log's checkpoint covers it; returns the log's keys.

    A proof that is not to be had in time is null: the same command again, or `tongxin log prove`, gives it later.
    """
    deadline = time.monotonic() + PROVED_SECONDS_MAX
    with opened_log(name, None, None, folder.root) as log:
        for record in records:
            record["proof"] = None
            while record["proof"] is None:
                try:
                    record["proof"] = proving.prove(log.files, log.trust, record["position"]).encode().decode()
                except LogUnreadable:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.2)
        return {"keys": [str(party.key) for party in log.trust.policy.logs]}


def purge(folder: DataFolder) -> dict[str, Any]:
    """Purge the vault of this node, where it is ours to reach; otherwise its keeper does it within minutes."""
    if folder.config().addresses:
        return {"purged_at": None, "tables_rewritten": 0}
    try:
        done = asyncio.run(keeper(folder).purge())
    except (OSError, asyncpg.PostgresError, PurgeIncomplete) as error:
        raise NodeError(f"the vault was not purged: {error}", "the keys are destroyed; `tongxin erase` again tries once more") from error
    return {"purged_at": datetime.now(UTC).isoformat(), "tables_rewritten": done.tables_rewritten}


def hold(folder: DataFolder, person: str, reference: str, *, release: bool) -> None:
    """Put a legal hold on a person's keys, or release it; `reference` is the file's number at the court or authority.

    Raises UsageError, NotRunning.
    """
    checked(person)
    vault = keeper(folder)
    try:
        asyncio.run(vault.release(person, reference) if release else vault.hold(person, reference))
    except (OSError, asyncpg.PostgresError) as error:
        raise NotRunning("the vault cannot be reached", "start the node with `tongxin up`") from error


def _carried_out(access: Access, person: str) -> dict[str, dict[str, Any]]:
    """What every service did, once each has looked at it."""
    deadline = time.monotonic() + CARRIED_OUT_SECONDS_MAX
    while True:
        told = {spec.name: access.erasure(spec.name, person) for spec in SERVICES}
        waiting = [name for name, one in told.items() if one is None or not one["carried_out"]]
        if not waiting:
            return {name: one for name, one in told.items() if one is not None}
        if time.monotonic() > deadline:
            raise NotReady(
                f"{', '.join(waiting)} did not carry the erasure out within {CARRIED_OUT_SECONDS_MAX} s",
                "it is ordered and will be; the same command again gives the certificate",
            )
        time.sleep(0.2)
