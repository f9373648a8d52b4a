"""Proofs against the naive tree: made from tiles, and verified; and nothing else verifies."""

from contextlib import suppress
from hashlib import sha256

import pytest
from foundation.log import proofs
from foundation.log.proofs import ProofInvalid, verify_consistency, verify_inclusion
from foundation.log.tiles import OutsideTree, Tile, TileMalformed
from foundation.merkle import EMPTY_ROOT
from hypothesis import given
from hypothesis import strategies as st

from . import naive

LEAVES = [sha256(i.to_bytes(2, "big")).digest() for i in range(1100)]
TILES = naive.tiles(LEAVES)
sizes = st.integers(1, len(LEAVES)) | st.sampled_from([1, 2, 3, 255, 256, 257, 511, 512, 513, 1024, 1100])
hashes = st.binary(min_size=32, max_size=32)


class Reading(dict[Tile, bytes]):
    """Tiles that note what is read of them."""

    def __init__(self, size: int) -> None:
        super().__init__(naive.tiles(LEAVES[:size]))
        self.read: set[Tile] = set()

    def __getitem__(self, tile: Tile) -> bytes:
        self.read.add(tile)
        return super().__getitem__(tile)


def read_all(level: int, index: int) -> bytes:
    """Any complete subtree, from the definition."""
    return naive.tree(LEAVES[index << level : (index + 1) << level])


@given(sizes, st.data())
def test_inclusion_is_what_the_definition_says_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tiles = Reading(size)
    proof = proofs.inclusion(index, size, proofs.tile_hashes(tiles, size))
    assert list(proof) == naive.path(index, LEAVES[:size])
    assert tiles.read == proofs.inclusion_tiles(index, size)
    assert proof == proofs.inclusion(index, size, read_all)
    verify_inclusion(index, size, LEAVES[index], proof, naive.tree(LEAVES[:size]))


@given(sizes, st.data())
def test_consistency_is_what_the_definition_says_and_verifies(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    tiles = Reading(size)
    proof = proofs.consistency(old, size, proofs.tile_hashes(tiles, size))
    assert list(proof) == (naive.proof(old, LEAVES[:size]) if old else [])
    assert tiles.read == proofs.consistency_tiles(old, size)
    verify_consistency(old, size, naive.tree(LEAVES[:old]), naive.tree(LEAVES[:size]), proof)


@given(st.integers(0, len(LEAVES)))
def test_roots(size: int) -> None:
    tiles = Reading(size)
    assert proofs.root(size, proofs.tile_hashes(tiles, size)) == naive.tree(LEAVES[:size])
    assert tiles.read == proofs.root_tiles(size)


@given(st.integers(2, 70), st.data())
def test_nothing_else_verifies_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = naive.tree(LEAVES[:size])
    proof = naive.path(index, LEAVES[:size])
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    other = data.draw(st.integers(0, size).filter(lambda number: number != index))
    wrong = [
        (index, size, LEAVES[index], [*proof[:at], *proof[at + 1 :]], root),
        (index, size, LEAVES[index], [*proof[:at], flipped, *proof[at + 1 :]], root),
        (index, size, LEAVES[index], [*proof, root], root),
        (index, size, LEAVES[index], [proof[at][:31], *proof[1:]], root),
        (index, size, LEAVES[(index + 1) % size], proof, root),
        (index, size, LEAVES[index], proof, LEAVES[index]),
        (other, size, LEAVES[index], proof, root),
        (index, index, LEAVES[index], proof, root),
        (index, size * 4, LEAVES[index], proof, root),
        (-1, size, LEAVES[index], proof, root),
    ]
    for case in wrong:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*case)


@given(st.integers(2, 70), st.data())
def test_nothing_else_verifies_consistency(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    before, after = naive.tree(LEAVES[:old]), naive.tree(LEAVES[:size])
    proof = naive.proof(old, LEAVES[:size])
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    wrong = [
        (old, size, before, after, [*proof[:at], *proof[at + 1 :]]),
        (old, size, before, after, [*proof[:at], flipped, *proof[at + 1 :]]),
        (old, size, before, after, [*proof, before]),
        (old, size, before, after, [b"", *proof]),
        (old, size, before, after, []),
        (old, size, after, after, proof),
        (old, size, before, before, proof),
        (old, size, LEAVES[0][:31] + b"x", after, proof),
        (size + 1, size, before, after, proof),
        (old, size * 4, before, after, proof),
        (-1, size, before, after, proof),
        (size, size, before, after, []),
        (size, size, after, after, proof),
        (0, size, EMPTY_ROOT, after, proof),
        (0, size, before, after, []),
    ]
    for case in wrong:
        with pytest.raises(ProofInvalid):
            verify_consistency(*case)
    # A fork: the same size, one leaf another.
    forked = [*LEAVES[: old - 1], b"\0" * 32, *LEAVES[old:size]]
    with pytest.raises(ProofInvalid):
        verify_consistency(old, size, before, naive.tree(forked), naive.proof(old, forked))


@given(st.integers(-2, 2**63), st.integers(-2, 2**63), hashes, hashes, st.lists(st.binary(max_size=33) | hashes, max_size=66))
def test_any_proof_is_refused_by_name(one: int, other: int, before: bytes, after: bytes, proof: list[bytes]) -> None:
    with pytest.raises(ProofInvalid):
        verify_inclusion(one, other, before, [*proof, b""], after)
    with pytest.raises(ProofInvalid):
        verify_consistency(one, other, before, after, [*proof, b""])
    with suppress(ProofInvalid):
        verify_inclusion(one, other, before, proof, after)
        assert (one, other, before) == (0, 1, after)
    with suppress(ProofInvalid):
        verify_consistency(one, other, before, after, proof)
        assert before == (after if one else EMPTY_ROOT)


@given(st.integers(1, 2**62))
def test_proofs_in_the_largest_trees(size: int) -> None:
    """All leaves alike, so that every complete subtree's hash is known."""
    row = LEAVES[0]
    known = [row, *(row := sha256(b"\x01" + row + row).digest() for _ in range(62))]

    def read(level: int, _: int) -> bytes:
        return known[level]

    root = proofs.root(size, read)
    for index in {0, size // 3, size - 1}:
        verify_inclusion(index, size, LEAVES[0], proofs.inclusion(index, size, read), root)
        verify_consistency(index + 1, size, proofs.root(index + 1, read), root, proofs.consistency(index + 1, size, read))
        assert all(tile.width <= 256 for tile in proofs.inclusion_tiles(index, size) | proofs.consistency_tiles(index, size))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_of_another_length_are_not_even_hashed(length: int) -> None:
    """A longer one could stand in for a shorter beside it."""
    wrong = LEAVES[0] + LEAVES[1]
    before, after, proof = naive.tree(LEAVES[:3]), naive.tree(LEAVES[:5]), naive.proof(3, LEAVES[:5])
    for leaf, nodes in [(LEAVES[4], [wrong[:length]]), (wrong[:length], [naive.tree(LEAVES[:4])])]:
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_inclusion(4, 5, leaf, nodes, after)
    for old_root, new_root, nodes in [
        (wrong[:length], after, proof),
        (before, wrong[:length], proof),
        (before, after, [*proof[1:], wrong[:length]]),
    ]:
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_consistency(3, 5, old_root, new_root, nodes)


def test_what_cannot_be_proved() -> None:
    for index, size in [(0, 0), (5, 5), (-1, 5)]:
        with pytest.raises(OutsideTree):
            proofs.inclusion(index, size, read_all)
    for old, size in [(6, 5), (-1, 5)]:
        with pytest.raises(OutsideTree):
            proofs.consistency(old, size, read_all)


def test_tiles_that_are_not_there_or_cut_off() -> None:
    tile = Tile(0, 0, 5)
    whole = b"".join(LEAVES[:5])
    with pytest.raises(KeyError):
        proofs.root(5, proofs.tile_hashes({}, 5))
    for data in (whole[:-32], whole[:-1], whole + LEAVES[5], b""):
        with pytest.raises(TileMalformed):
            proofs.root(5, proofs.tile_hashes({tile: data}, 5))
