"""Compact range roots against RFC 6962's recursive definition and its published test vectors."""

from hashlib import sha256

from foundation.merkle import CompactRange, node_hash
from foundation.record import leaf_hash
from hypothesis import given
from hypothesis import strategies as st

# The inputs and roots of Certificate Transparency's reference tests (merkletree tests of google/certificate-transparency).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: split at the largest power of two below n."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


def test_the_published_vectors() -> None:
    tree = CompactRange()
    assert tree.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for raw, root in zip(INPUTS, ROOTS, strict=True):
        tree.extend([leaf_hash(bytes.fromhex(raw))])
        assert tree.root().hex() == root


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70), st.integers(0, 70))
def test_any_tree_in_any_portions(leaves: list[bytes], cut: int) -> None:
    tree = CompactRange()
    tree.extend(leaves[:cut])
    tree.extend(leaves[cut:])
    assert (tree.size, tree.root()) == (len(leaves), defined(leaves))
