import asyncpg


async def test_a_fresh_database_answers(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("show server_version_num") >= "180000"
    await connection.close()
