"""Every stream's versions over a whole history, in bounded memory: stretches are joined heap by heap, on disk where they are many."""

from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile

from foundation.log.damage import Damage
from foundation.log.envelopes import version_broken
from foundation.log.tiles import WIDTH, Tile

IN_MEMORY_BYTES_MAX = 256 * 1024
"""What a heap holds before it goes to a temporary file."""


class Streams:
    """Joins what stretches say of their streams. A context manager: temporary files go with it."""

    def __init__(self, shards: int) -> None:
        self._open = ExitStack()
        heaps = (SpooledTemporaryFile(IN_MEMORY_BYTES_MAX) for _ in range(shards))  # noqa: SIM115 - closed together
        self._shards = [self._open.enter_context(heap) for heap in heaps]

    def __enter__(self) -> "Streams":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, shards: Sequence[bytes]) -> None:
        """The next stretch: lines `<position> <first version> <last version> <stream>` in each shard."""
        for shard, lines in zip(self._shards, shards, strict=True):
            shard.write(lines)

    def check(self) -> None:
        """Raises Damage at the first position where a stream does not go on where it stood."""
        broken = [damage for shard in self._shards for damage in [_first_broken(shard)] if damage is not None]
        if broken:
            raise min(broken, key=lambda damage: damage.position or 0)


def _first_broken(shard: "SpooledTemporaryFile[bytes]") -> Damage | None:
    shard.seek(0)
    stands: dict[bytes, bytes] = {}
    for line in shard:
        position, first, last, stream = line.split(b" ", 3)
        if int(first) != int(stands.get(stream, b"0")) + 1:
            at = int(position)
            bundle = Tile(None, at // WIDTH).path()
            return version_broken(bundle, at, stream.rstrip(b"\n"), int(stands.get(stream, b"0")) + 1, int(first))
        stands[stream] = last
    return None
