"""Trust policies: whose checkpoints count, and how many witnesses must have cosigned them (C2SP tlog-policy)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from foundation.log.checkpoint import Checkpoint, OtherOrigin, SignedCheckpoint
from foundation.log.note import ED25519, KeyMalformed, Note, Unsigned, VerifierKey, open_note
from foundation.log.text import from_decimal

NONE = "none"
"""The quorum of no witness at all."""

POLICY_BYTES_MAX = 1_000_000


class PolicyMalformed(ValueError):
    """Bytes that should be a policy are not one."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line} of the policy: {what}")
        self.line = line


class QuorumMissed(Exception):
    """Too few witnesses have cosigned a checkpoint."""

    def __init__(self, quorum: str, witnesses: tuple[str, ...]) -> None:
        super().__init__(f"the quorum {quorum} is missed; cosigned by {', '.join(witnesses) or 'nobody'}")
        self.quorum, self.witnesses = quorum, witnesses


@dataclass(frozen=True, slots=True)
class Party:
    """A log or a witness: its key, and where to ask it, if that is known."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses or earlier groups, of which `needed` must have witnessed."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses and groups by their names within the policy, and the name of the quorum."""

    logs: tuple[Party, ...] = ()
    witnesses: Mapping[str, Party] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    @staticmethod
    def parse(data: bytes) -> "Policy":
        """Reads a policy file. Raises PolicyMalformed."""
        return _Reading().read(data)

    def encode(self) -> bytes:
        """The policy file, one line a definition."""
        lines = [f"log {_party(log)}" for log in self.logs]
        lines += [f"witness {name} {_party(witness)}" for name, witness in self.witnesses.items()]
        lines += [f"group {name} {group.needed} {' '.join(group.members)}" for name, group in self.groups.items()]
        return "".join(line + "\n" for line in [*lines, f"quorum {self.quorum}"]).encode("utf-8", "surrogateescape")

    def open(self, data: bytes) -> SignedCheckpoint:
        """Verify a checkpoint: signed by one of the logs, under its own origin, and witnessed as the quorum asks.

        Raises NoteMalformed, SignatureInvalid, Unsigned, CheckpointMalformed, OtherOrigin, QuorumMissed.
        """
        note = open_note(data, [party.key for party in (*self.logs, *self.witnesses.values())])
        signed_by = [log.key for log in self.logs if note.signed_by(log.key)]
        if not signed_by:
            raise Unsigned("none of the policy's logs has signed this checkpoint")
        checkpoint = Checkpoint.parse(note.text)
        if all(checkpoint.origin != key.name for key in signed_by):
            raise OtherOrigin(checkpoint.origin, signed_by[0].name)
        self._check_quorum(note)
        return SignedCheckpoint(checkpoint, note)

    def _check_quorum(self, note: Note) -> None:
        cosigned = tuple(name for name, witness in self.witnesses.items() if note.signed_by(witness.key))
        met = {NONE, *cosigned}
        for name, group in self.groups.items():  # in the order of definition: members come first
            if sum(one in met for one in group.members) >= group.needed:
                met.add(name)
        if self.quorum not in met:
            raise QuorumMissed(self.quorum, cosigned)


def _party(party: Party) -> str:
    return f"{party.key} {party.url}" if party.url else str(party.key)


class _Reading:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self._logs: list[Party] = []
        self._witnesses: dict[str, Party] = {}
        self._groups: dict[str, Group] = {}
        self._quorum: str | None = None
        self._members: set[str] = set()
        self._line = 0

    def read(self, data: bytes) -> Policy:
        if len(data) > POLICY_BYTES_MAX:
            raise self._malformed(f"over {POLICY_BYTES_MAX:,} bytes")
        # Octets beyond ASCII are opaque; surrogates carry those that are not UTF-8.
        for line in data.decode("utf-8", "surrogateescape").split("\n"):
            self._line += 1
            if any((letter < " " and letter != "\t") or letter == "\x7f" for letter in line):
                raise self._malformed("a control character")
            words = line.replace("\t", " ").split(" ")
            items = [word for word in words if word]
            if items and not items[0].startswith("#"):
                self._define(items)
        if self._quorum is None:
            raise self._malformed("the policy ends without a quorum")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _define(self, items: list[str]) -> None:
        match items:
            case ["log", key, *url] if len(url) <= 1:
                self._logs.append(self._party(key, url, {log.key for log in self._logs}))
            case ["witness", name, key, *url] if len(url) <= 1:
                witness = self._party(key, url, {other.key for other in self._witnesses.values()})
                if witness.key.type == ED25519:
                    raise self._malformed("a witness needs a key for cosignatures")
                self._witnesses[self._new(name)] = witness
            case ["group", name, needed, *members] if members:
                self._groups[self._new(name)] = self._group(needed, members)
            case ["quorum", name]:
                if self._quorum is not None:
                    raise self._malformed("a second quorum")
                if name != NONE and not self._is_defined(name):
                    raise self._malformed("the quorum is not defined before")
                self._quorum = name
            case _:
                raise self._malformed("neither log, witness, group nor quorum")

    def _party(self, text: str, url: list[str], others: set[VerifierKey]) -> Party:
        try:
            key = VerifierKey.parse(text)
        except KeyMalformed as error:
            raise self._malformed(str(error)) from error
        if any(other.material[1:] == key.material[1:] for other in others):
            raise self._malformed("the same public key again")
        return Party(key, url[0] if url else None)

    def _group(self, needed: str, members: list[str]) -> Group:
        for one in members:
            if not self._is_defined(one):
                raise self._malformed("a member that is not defined before")
            if one in self._members:
                raise self._malformed("a member that is in a group already")
            self._members.add(one)
        try:
            count = {"any": 1, "all": len(members)}.get(needed) or from_decimal(needed)
        except ValueError as error:
            raise self._malformed("a group needs all, any or a number") from error
        if not 1 <= count <= len(members):
            raise self._malformed("a group needs at least one and at most all of its members")
        return Group(count, tuple(members))

    def _new(self, name: str) -> str:
        if name == NONE or self._is_defined(name):
            raise self._malformed("a name that is taken")
        return name

    def _is_defined(self, name: str) -> bool:
        return name in self._witnesses or name in self._groups

    def _malformed(self, what: str) -> PolicyMalformed:
        return PolicyMalformed(self._line, what)
