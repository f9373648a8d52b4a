"""A digest of a projection's tables: what is the same live and rebuilt has the same digest (DESIGN 5)."""

from foundation.cursor import Connection
from foundation.projections import Projection, Table, Tables


async def digest(connection: Connection, projection: Projection, tables: Tables | None = None) -> str:
    """SHA-256 over the rows without personal columns, in hex: those that the views show, or of chosen physical tables.

    Each row is hashed and the hashes are sorted, so the order of rows, and with it the database's collation, does not matter.
    """
    async with connection.transaction():
        await connection.execute("set local timezone = 'UTC'; set local datestyle = 'ISO'; set local extra_float_digits = 1")
        hashes = [await _digest(connection, table, (tables or {}).get(table.name, table.name)) for table in projection.tables]
        return str(await connection.fetchval("select encode(sha256(string_agg(t, ''::bytea)), 'hex') from unnest($1::bytea[]) t", hashes))


async def _digest(connection: Connection, table: Table, name: str) -> bytes:
    columns = await connection.fetch(
        "select quote_ident(attname) as name from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " and attname <> all ($2::text[]) order by attname",
        *(name, list(table.personal)),
    )
    row = ", ".join(f"t.{column['name']}" for column in columns)
    hashes = f"select sha256(convert_to(row({row})::text, 'UTF8')) as h from {name} t"  # noqa: S608 - names from the catalogue
    return bytes(await connection.fetchval(f"select sha256(coalesce(string_agg(h, ''::bytea order by h), '')) from ({hashes}) t"))  # noqa: S608
