"""Merkle tree hashing after RFC 6962, kept as a compact range: one hash per set bit of the size."""

from collections.abc import Iterable
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 node hash: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The right edge of a tree over leaves [0, size): the roots of its perfect subtrees, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes."""
        for leaf in leaves:
            node, size = leaf, self.size
            while size & 1:
                node = node_hash(self._peaks.pop(), node)
                size >>= 1
            self._peaks.append(node)
            self.size += 1

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self._peaks:
            return EMPTY_ROOT
        *left, root = self._peaks
        for peak in reversed(left):
            root = node_hash(peak, root)
        return root
