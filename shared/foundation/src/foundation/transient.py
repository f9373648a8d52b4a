"""Which failures pass by themselves: worth trying again, never a reason to park anything or to alarm at once."""

import asyncpg

from foundation.broker.port import BrokerUnavailable
from foundation.commands import Contended
from foundation.cursor import CursorMoved
from foundation.store.port import StoreUnavailable, WritesRefused
from foundation.store.writer import Overloaded
from foundation.vault.port import VaultUnavailable

TRANSIENT: tuple[type[Exception], ...] = (
    BrokerUnavailable,
    StoreUnavailable,
    VaultUnavailable,
    WritesRefused,
    Overloaded,
    Contended,
    CursorMoved,
    OSError,  # with TimeoutError and ConnectionError
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke while an answer was being read
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Backoff:
    """Longer and longer waits between attempts, short again after a success. Seconds."""

    def __init__(self, first: float = 0.1, most: float = 10) -> None:
        self._first, self._most = first, most
        self._next = first

    def reset(self) -> None:
        """It works again."""
        self._next = self._first

    def seconds(self) -> float:
        """How long to wait now."""
        now, self._next = self._next, min(self._next * 2, self._most)
        return now
