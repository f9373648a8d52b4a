"""Asking the other services of the node to cosign a checkpoint (C2SP tlog-witness, the log's side)."""

from collections.abc import Awaitable, Callable, Sequence

import httpx

from foundation.log.keys import LogKeys
from foundation.log.note import KeyMalformed, NoteMalformed, Signature, SignatureInvalid, Unsigned, open_note
from foundation.log.storage import Stored
from foundation.log.text import from_decimal
from foundation.log.witness import AddCheckpoint

ANSWER_BYTES_MAX = 64_000
WITNESS_SECONDS = 5.0
"""How long a witness may take for one answer."""

ATTEMPTS_MAX = 3
"""How often a witness is told another old size before it counts as silent: others of ours may be asking it as well."""

Proofs = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""(old, size) → the consistency proof between them."""


class WitnessSilent(Exception):
    """A witness does not answer, or not as a witness does."""


class WitnessAhead(Exception):
    """A witness has cosigned a larger checkpoint of this log than the one it was asked about."""

    def __init__(self, size: int) -> None:
        super().__init__(f"has cosigned a checkpoint of size {size}")
        self.size = size


class WitnessDiffers(Exception):
    """A witness has cosigned a checkpoint that this log does not continue."""


class Cosigner:
    """The witness in another service."""

    def __init__(self, name: str, url: str, keys: LogKeys, client: httpx.AsyncClient, proofs: Proofs) -> None:
        self.name = name
        self._url, self._keys, self._client, self._proofs = f"{url.rstrip('/')}/witness/add-checkpoint", keys, client, proofs
        self._cosigned: dict[str, int] = {}

    async def ask(self, origin: str, checkpoint: Stored) -> Signature:
        """Its cosignature, verified. Raises WitnessSilent, WitnessAhead, WitnessDiffers."""
        for _ in range(ATTEMPTS_MAX):
            old = min(self._cosigned.get(origin, 0), checkpoint.size)
            request = AddCheckpoint(old, tuple(await self._proofs(old, checkpoint.size)), checkpoint.note)
            status, kind, body = await self._post(request.encode())
            if status == httpx.codes.OK:
                self._cosigned[origin] = checkpoint.size
                return self._verified(checkpoint.note, body)
            size = _size(body) if status == httpx.codes.CONFLICT and kind.startswith("text/x.tlog.size") else None
            if status == httpx.codes.UNPROCESSABLE_ENTITY or (status == httpx.codes.CONFLICT and size in (None, old)):
                raise WitnessDiffers(f"{self.name} holds another history up to {old} than this one")
            if size is None:
                raise WitnessSilent(f"{self.name} answers {status}")
            if size > checkpoint.size:
                raise WitnessAhead(size)
            self._cosigned[origin] = size
        raise WitnessSilent(f"{self.name} names another size each time")

    async def _post(self, body: bytes) -> tuple[int, str, bytes]:
        try:
            answer = await self._client.post(self._url, content=body, headers={"content-type": "text/plain"}, timeout=WITNESS_SECONDS)
        except (httpx.HTTPError, OSError) as error:
            raise WitnessSilent(f"{self.name} does not answer: {type(error).__name__}") from error
        return answer.status_code, answer.headers.get("content-type", ""), answer.content[:ANSWER_BYTES_MAX]

    def _verified(self, note: str, lines: bytes) -> Signature:
        try:
            key = self._keys.public(self.name).witness
            return open_note(note.encode() + lines, [key]).signatures[0]
        except (KeyMalformed, NoteMalformed, SignatureInvalid, Unsigned) as error:
            raise WitnessSilent(f"{self.name} gives no cosignature: {error}") from error


def _size(body: bytes) -> int | None:
    try:
        return from_decimal(body.decode("ascii", "replace").removesuffix("\n"))
    except ValueError:
        return None
