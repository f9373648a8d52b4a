"""A lease in PostgreSQL: one process at a time does a job. An optimisation only: whoever uses it stays correct when two hold it.

A lease runs out by itself, so a paused or cut-off holder frees it; an advisory lock would not.
"""

from uuid import uuid4

from foundation.cursor import Pool


class Lease:
    """One name that one holder has at a time; times are the database's."""

    def __init__(self, pool: Pool, name: str, *, ttl_seconds: float = 10) -> None:
        self._pool, self._name = pool, name
        self.ttl_seconds = ttl_seconds
        self._holder = uuid4()

    async def hold(self) -> bool:
        """Take the lease, or renew it; whether it is ours now. To be renewed well before `ttl_seconds`."""
        row = await self._pool.fetchrow(
            "insert into leases as l (name, holder, until) values ($1, $2, now() + make_interval(secs => $3))"
            " on conflict (name) do update set holder = excluded.holder, until = excluded.until"
            " where l.holder = excluded.holder or l.until < now() returning true",
            *(self._name, self._holder, self.ttl_seconds),
        )
        return row is not None

    async def release(self) -> None:
        """Let the next one have it at once."""
        await self._pool.execute("delete from leases where name = $1 and holder = $2", self._name, self._holder)
