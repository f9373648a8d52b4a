"""All streams of one kind: for what is rare and must be known whole, as erasures at a start."""

from foundation.cursor import Pool
from foundation.store.batch import recorded
from foundation.store.port import Recorded


async def read_category(pool: Pool, category: str) -> list[Recorded]:
    """Every event of every stream `category-…`, in order of position. A range of the index on streams, however long the history."""
    rows = await pool.fetch(
        "select position, stream, version, type, record, leaf from events where stream >= $1 and stream < $2 order by position",
        *(f"{category}-", f"{category}."),  # "." comes right after "-"
    )
    return recorded(rows)
