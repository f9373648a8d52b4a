"""The log of two whole services: published, witnessed by each other, served in the public layout."""

import httpx
from foundation.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from foundation.log.keys import LogKeys
from foundation.log.proofs import root as root_of
from foundation.log.proofs import tile_hashes
from foundation.log.tiles import Tile, bundles_of, decode_bundle, leaf_hashes, tiles_of

from .two_services import Node, running, until

BODY = {"parent": "37", "chair": "c" * 32, "chair_name": "李四光"}
SERVICE = "service:desks"


def keys(two: Node) -> LogKeys:
    return LogKeys(two.folder / "log", "37")


async def opened(two: Node, client: httpx.AsyncClient, service: str = "units") -> SignedCheckpoint | None:
    """The newest checkpoint, verified with the log's key and the other's as its witness."""
    answer = await client.get(f"http://{service}/log/checkpoint")
    if answer.status_code == 404:
        return None
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["content-type"].startswith("text/plain")
    other = {"units": "desks", "desks": "units"}[service]
    return open_checkpoint(answer.content, keys(two).public(service).log, [keys(two).public(other).witness])


async def witnessed(two: Node, client: httpx.AsyncClient, size: int, service: str = "units") -> SignedCheckpoint:
    """The newest checkpoint, once it has this size and is cosigned."""
    found: list[SignedCheckpoint] = []

    async def there() -> bool:
        newest = await opened(two, client, service)
        if newest is None or newest.checkpoint.size < size or len(newest.note.signatures) < 2:
            return False
        found.append(newest)
        return True

    await until(there)
    return found[-1]


async def test_a_history_is_published_witnessed_and_served(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        answer = await client.post("http://units/units/3709", json=BODY, headers=two.headers(idempotency_key="k1"))
        assert answer.status_code == 200, answer.text
        newest = await witnessed(two, client, 3)
        size = newest.checkpoint.size
        assert newest.checkpoint.origin == "union.example/37/units"

        # Every tile and every entry, and the root they lead to.
        tiles = {}
        for tile in tiles_of(0, size):
            answer = await client.get(f"http://units/log/{tile.path()}")
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["content-type"] == "application/octet-stream"
            tiles[tile] = answer.content
        assert root_of(size, tile_hashes(tiles, size)) == newest.checkpoint.root
        [bundle] = bundles_of(0, size)
        answer = await client.get(f"http://units/log/{bundle.path()}", headers=two.headers(SERVICE))
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert leaf_hashes(decode_bundle(answer.content)) == tiles[Tile(0, 0, size)]
        assert decode_bundle(answer.content)[0].startswith(b'{"specversion"')

        # Every published checkpoint is kept and listed.
        sizes = [int(line) for line in (await client.get("http://units/log/checkpoints")).text.split()]
        assert sizes == sorted(sizes)
        assert size in sizes
        assert (await client.get(f"http://units/log/checkpoints?after={size - 1}")).text.split()[0] == str(size)
        assert (await client.get("http://units/log/checkpoints?after=-2")).status_code == 422
        for one in sizes:
            kept = await client.get(f"http://units/log/checkpoints/{one}")
            assert open_checkpoint(kept.content, keys(two).public("units").log).checkpoint.size == one
        assert (await client.get("http://units/log/keys")).text == f"{keys(two).public('units').log}\n"
        assert str(keys(two).public("desks").witness) in (await client.get("http://units/log/policy")).text


async def test_entries_are_for_services_and_auditors(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        await witnessed(two, client, 2)
        url = "http://units/log/tile/entries/000.p/2"
        assert (await client.get(url)).status_code == 401
        assert (await client.get(url, headers=two.headers())).status_code == 403  # a clerk
        assert (await client.get(url, headers=two.headers(SERVICE))).status_code == 200


UNPUBLISHED = (
    *("tile/0/000", "tile/0/000.p/200", "tile/1/000.p/1", "tile/0/001.p/1", "tile/0/x000/000.p/1", "tile/0/0.p/1", "tile/0/000.p/0"),
    *("tile/64/000", "tile/", "tile/0/../../healthz", "checkpoints/99999", "checkpoints/0"),
)


async def test_what_is_not_published_is_not_there(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        await witnessed(two, client, 2)
        for path in UNPUBLISHED:
            answer = await client.get(f"http://units/log/{path}")
            assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store"), path


async def test_a_tile_reaches_no_further_than_the_newest_checkpoint(two: Node) -> None:
    """Readers keep tiles for ever, and what no checkpoint covers may turn out otherwise."""
    async with running(two, "units") as client:

        async def published() -> bool:
            return (await client.get("http://units/log/checkpoint")).status_code == 200

        await until(published)
        size = Checkpoint.parse((await client.get("http://units/log/checkpoint")).text.split("\n\n")[0] + "\n").size
        for tile, found in ((Tile(0, 0, size), 200), (Tile(0, 0, size + 1), 404)):
            assert (await client.get(f"http://units/log/{tile.path()}")).status_code == found


async def test_readiness_and_metrics_speak_of_the_log(two: Node) -> None:
    async with running(two, "units", "desks") as client:
        size = (await witnessed(two, client, 2)).checkpoint.size

        async def told() -> bool:
            return bool((await client.get("http://units/readyz")).json()["components"]["log"]["detail"]["published"] >= size)

        await until(told)
        component = (await client.get("http://units/readyz")).json()["components"]["log"]
        assert component["ready"]
        assert (component["detail"]["unwitnessed_since"], component["detail"]["damage"]) == (None, None)
        metrics = (await client.get("http://units/metrics")).text
        assert f"tongxin_log_published_size {size}.0" in metrics
        assert "tongxin_log_damaged 0.0" in metrics
