"""The keys under which services sign their logs and witness one another's, in one folder of the node.

`<service>.log.key` and `<service>.witness.key` hold 32-byte seeds that only their owner may read, made when they are first asked for;
`<service>.keys` holds their public halves, one a line, for the other services of the node.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from foundation import files
from foundation.log.note import COSIGNATURE, ED25519, KeyMalformed, SigningKey, VerifierKey
from foundation.log.origin import AUTHORITY, Origin, OriginMalformed

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What a service is known by: as a log (in its first epoch), and as a witness."""

    log: VerifierKey
    witness: VerifierKey


class LogKeys:
    """The keys of a node's services. `authority` is the first part of every origin."""

    def __init__(self, folder: Path, org: str, *, authority: str = AUTHORITY) -> None:
        self._folder, self._org, self._authority = folder, org, authority

    def origin(self, service: str, epoch: int = 0) -> str:
        """The name of a service's log."""
        return str(Origin(self._org, service, epoch, self._authority))

    def signing(self, service: str, epoch: int = 0) -> SigningKey:
        """The key of a service's log. An epoch is a new name; the key beneath it stays."""
        return SigningKey(self.origin(service, epoch), self._seed(f"{service}.log.key"))

    def witnessing(self, service: str) -> SigningKey:
        """The key with which a service cosigns other logs."""
        return SigningKey(f"{self.origin(service)}/witness", self._seed(f"{service}.witness.key"), COSIGNATURE)

    def make(self, service: str) -> PublicKeys:
        """Both keys of a service, made where they are missing, their public halves laid out for the others."""
        made = PublicKeys(self.signing(service).verifier, self.witnessing(service).verifier)
        files.ensure(self._folder / f"{service}.keys", f"{made.log}\n{made.witness}\n".encode)
        return made

    def public(self, service: str) -> PublicKeys:
        """The public keys of a service. Raises KeyMalformed where there are none (yet), or not those of its name."""
        try:
            lines = (self._folder / f"{service}.keys").read_text().splitlines()
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise KeyMalformed(f"the public keys of {service} are not there: {type(error).__name__}") from error
        keys = [VerifierKey.parse(line) for line in lines]
        if [key.type for key in keys] != [ED25519, COSIGNATURE] or keys[0].name != self.origin(service):
            raise KeyMalformed(f"the public keys of {service} are a log's and a witness's, in this order")
        return PublicKeys(*keys)

    def others(self, service: str) -> dict[str, PublicKeys]:
        """The public keys of the other services of the node that have any, by their names."""
        names = sorted(path.stem for path in self._folder.glob("*.keys"))
        return {name: self.public(name) for name in names if name != service}

    def log_of(self, origin: str) -> VerifierKey:
        """The key that must have signed a checkpoint of this origin, in whichever epoch. Raises KeyMalformed for logs not of this node."""
        try:
            named = Origin.parse(origin)
        except OriginMalformed as error:
            raise KeyMalformed(str(error)) from error
        if (named.org, named.authority) != (self._org, self._authority):
            raise KeyMalformed("a log of another node")
        return VerifierKey.of(origin, ED25519, self.public(named.service).log.material[1:])

    def _seed(self, name: str) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = files.ensure(self._folder / name, lambda: os.urandom(SEED_BYTES)).read_bytes()
        if len(seed) != SEED_BYTES:
            raise KeyMalformed(f"{name} does not hold {SEED_BYTES} bytes")
        return seed
