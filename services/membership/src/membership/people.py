"""From an identity document to the person who has it, by the vault's blind index."""

from collections.abc import Awaitable, Callable

from contracts.kernel import PersonId
from contracts.values import DocumentKind, IdentityDocument
from foundation.vault.port import Vault


async def identify(vault: Vault, document: IdentityDocument, *, pending: Callable[[], Awaitable[PersonId]]) -> PersonId:
    """The person with this document, new where nobody has it; `pending`'s where its number is not known yet. Raises VaultUnavailable."""
    if document.kind is DocumentKind.pending:
        return await pending()
    return await vault.person(document.kind, document.number, issuer=document.issuer)


async def known(vault: Vault, document: IdentityDocument) -> PersonId | None:
    """The person with this document, if there is one. Raises VaultUnavailable."""
    if document.kind is DocumentKind.pending:
        return None
    return await vault.find_person(document.kind, document.number, issuer=document.issuer)


async def bind(vault: Vault, person: PersonId, document: IdentityDocument) -> PersonId:
    """Give a person one more document; who has it, somebody else where it was given out before. Raises VaultUnavailable."""
    if document.kind is DocumentKind.pending:
        return person
    return await vault.bind(person, document.kind, document.number, issuer=document.issuer)
