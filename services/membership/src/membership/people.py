"""People and what is recorded of them: who has which identity document, and a member's events with the personal values opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.kernel import Catalogue, PersonId
from contracts.values import DocumentKind, IdentityDocument
from foundation.history import Happened, all_happened
from foundation.store.port import EventStore
from foundation.vault.port import Vault
from foundation.vault.sealer import Sealer

from membership.members.rules import MEMBER


@dataclass(frozen=True, slots=True)
class People:
    """The way from a document to a person, and from a person to what is known of them."""

    vault: Vault
    sealer: Sealer
    store: EventStore
    catalogue: Catalogue

    async def identify(self, document: IdentityDocument, *, pending: PersonId) -> PersonId:
        """The person with this document, new where nobody has it; `pending` where its number is not known yet. Raises VaultUnavailable."""
        if document.kind is DocumentKind.pending:
            return pending
        return await self.vault.person(document.kind, document.number, issuer=document.issuer)

    async def known(self, document: IdentityDocument) -> PersonId | None:
        """The person with this document, if there is one. Raises VaultUnavailable."""
        if document.kind is DocumentKind.pending:
            return None
        return await self.vault.find_person(document.kind, document.number, issuer=document.issuer)

    async def bind(self, person: PersonId, document: IdentityDocument) -> PersonId:
        """Give a person one more document; who has it, somebody else where it was given out before. Raises VaultUnavailable."""
        if document.kind is DocumentKind.pending:
            return person
        return await self.vault.bind(person, document.kind, document.number, issuer=document.issuer)

    async def history(self, member: PersonId, *, opened_for: str | None) -> Sequence[Happened]:
        """A member's events, oldest first; with the personal values opened for a principal, where one is named.

        Raises KeyMissing, SealBroken, VaultUnavailable, StoreUnavailable.
        """
        events = all_happened(await self.store.read_stream(MEMBER.stream(member)), self.catalogue)
        return events if opened_for is None else await self.sealer.open(events, principal=opened_for)
