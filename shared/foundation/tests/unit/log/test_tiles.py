"""Tiles, bundles and the right edge against the naive tree, and against the numbers of C2SP tlog-tiles."""

from contextlib import suppress
from hashlib import sha256

import pytest
from foundation.log.edge import Edge
from foundation.log.tiles import (
    ENTRY_BYTES_MAX,
    OutsideTree,
    PathMalformed,
    Tile,
    TileMalformed,
    bundles_of,
    decode_bundle,
    encode_bundle,
    leaf_hashes,
    perfect_root,
    tile_of,
    tiles_of,
)
from foundation.record import leaf_hash
from hypothesis import given
from hypothesis import strategies as st

from . import naive

LEAVES = [sha256(bytes([i % 256, i // 256])).digest() for i in range(1400)]
sizes = st.integers(0, len(LEAVES))
levels = st.none() | st.integers(0, 63)


def test_the_numbers_of_the_specification() -> None:
    all_of = list(tiles_of(0, 70_000))
    assert [tile for tile in all_of if not tile.full] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [sum(tile.full and tile.level == level for tile in all_of) for level in range(4)] == [273, 1, 0, 0]
    assert [tile.path() for tile in tiles_of(0, 256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert Tile(0, 1_234_067).path() == "tile/0/x001/x234/067"
    assert Tile(None, 1_234_067, 3).path() == "tile/entries/x001/x234/067.p/3"
    assert list(tiles_of(0, 0)) == list(tiles_of(70_000, 70_000)) == list(bundles_of(256, 256)) == []


@given(levels, st.integers(0, 2**40), st.integers(1, 256))
def test_a_path_reads_as_its_tile(level: int | None, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert Tile.parse(tile.path()) == tile


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "checkpoint",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x001",
            "tile/0/001/002",
            "tile/64/000",
        ),
        *(
            "tile/00/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p",
            "tile/0/000.p/",
        ),
        *(
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/000\n",
            "tile/0/٠٠١",
            "tile/entries/000.p/999",
            "tile/8/0/000",
            "tile/0/../000",
            "tile/Entries/000",
        ),
        "tile/0/" + "x001/" * 6 + "000",
        "tile/0/" + "x001/" * 2000 + "000",
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathMalformed):
        Tile.parse(path)


@given(st.text(alphabet="tilenrsx0123456789/.p\n ", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_path_in_its_only_spelling_or_none(text: str) -> None:
    with suppress(PathMalformed):
        assert Tile.parse(text).path() == text


@given(sizes, sizes)
def test_growth_brings_what_the_naive_tree_has_more(one: int, other: int) -> None:
    old, size = sorted((one, other))
    before, after = naive.tiles(LEAVES[:old]), naive.tiles(LEAVES[:size])
    found = list(tiles_of(old, size))
    assert len(found) == len(set(found))
    # A level in which nothing was added brings nothing; every other tile is new, or full as it was before.
    assert set(found) == set(after) - set(before)
    assert [Tile(0, tile.number, tile.width) for tile in bundles_of(old, size)] == [tile for tile in found if tile.level == 0]
    for tile in after:
        assert tile_of(tile.level, tile.number, size) == tile
        assert tile.leaves == range(tile.number * 256 ** (tile.level or 0) * 256, tile.leaves.stop)
        assert len(tile.leaves) == tile.width * 256 ** (tile.level or 0)


@given(sizes, st.lists(st.integers(0, 600), max_size=5))
def test_an_edge_grows_as_the_naive_tree_in_any_portions(start: int, steps: list[int]) -> None:
    edge, full = Edge().grow(b"".join(LEAVES[:start]))
    stored = dict(full)
    for step in steps:
        at = edge.size
        edge, full = edge.grow(b"".join(LEAVES[at : at + step]))
        assert [tile for tile, _ in full] == sorted(
            (tile for tile in tiles_of(at, edge.size) if tile.full), key=lambda tile: tile.level or 0
        )
        assert not stored.keys() & dict(full).keys()
        stored.update(full)
    leaves = LEAVES[: edge.size]
    assert edge.root() == naive.tree(leaves)
    assert {**stored, **dict(edge.tiles())} == naive.tiles(leaves)
    assert Edge.decode(edge.size, edge.encode()) == edge


def test_an_edge_three_levels_high() -> None:
    size = 256**2 + 256 + 1
    leaf = LEAVES[0]
    edge, full = Edge().grow(leaf * size)
    assert [tile for tile, _ in full if tile.level] == [Tile(1, 0)]
    assert [tile for tile, _ in edge.tiles()] == [Tile(0, 257, 1), Tile(1, 1, 1), Tile(2, 0, 1)]
    # All leaves alike: a perfect tree's root is its leaf, hashed with itself once a level.
    row = leaf
    roots = [row := sha256(b"\x01" + row + row).digest() for _ in range(16)]
    right = sha256(b"\x01" + roots[7] + leaf).digest()
    assert edge.root() == sha256(b"\x01" + roots[15] + right).digest()


@given(sizes, st.binary(max_size=100))
def test_an_edge_of_another_length_does_not_read(size: int, more: bytes) -> None:
    encoded = Edge().grow(b"".join(LEAVES[:size]))[0].encode()
    for wrong in (encoded + more, encoded[: len(encoded) - len(more)]):
        if len(wrong) != len(encoded):
            with pytest.raises(TileMalformed):
                Edge.decode(size, wrong)


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16, 32, 64, 128, 256])
def test_perfect_roots(width: int) -> None:
    assert perfect_root(b"".join(LEAVES[:width])) == naive.tree(LEAVES[:width])


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_hold_their_records(records: list[bytes]) -> None:
    bundle = encode_bundle(records)
    assert decode_bundle(bundle) == records
    assert leaf_hashes(records) == b"".join(map(leaf_hash, records))


def test_the_largest_entry() -> None:
    assert decode_bundle(encode_bundle([b"x" * ENTRY_BYTES_MAX])) == [b"x" * ENTRY_BYTES_MAX]
    with pytest.raises(TileMalformed):
        encode_bundle([b"x" * (ENTRY_BYTES_MAX + 1)])


@given(st.binary(max_size=600) | st.lists(st.binary(max_size=3), max_size=300).map(encode_bundle))
def test_any_bytes_are_the_only_spelling_of_a_bundle_or_none(data: bytes) -> None:
    try:
        records = decode_bundle(data)
    except TileMalformed:
        return
    assert encode_bundle(records) == data
    assert 1 <= len(records) <= 256


def test_tiles_that_a_log_does_not_have() -> None:
    for level, number, size in [(0, 0, 0), (0, 1, 256), (1, 0, 255), (None, 2, 512)]:
        with pytest.raises(OutsideTree):
            tile_of(level, number, size)
