"""Whom an auditor believes: keys that were handed over, or else those beside the log; and opening checkpoints under them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foundation.log.checkpoint import CheckpointMalformed, OtherOrigin, SignedCheckpoint
from foundation.log.damage import Damage, Kind
from foundation.log.note import ED25519, KeyMalformed, NoteMalformed, SignatureInvalid, Unsigned, VerifierKey, parse_note
from foundation.log.origin import Origin, OriginMalformed
from foundation.log.policy import NONE, Group, Party, Policy, PolicyMalformed, QuorumMissed
from foundation.log.reader import KEYS, NOTE_BYTES_MAX, POLICY, FileMissing, FileTooLarge, LogFiles, LogUnreadable

GIVEN = "given"
"""The quorum of all the witnesses whose keys were handed over."""


@dataclass(frozen=True, slots=True)
class Trust:
    """A policy, and whether it lies beside the log it is about: then it proves only that all fits together."""

    policy: Policy
    from_log: bool

    def open(self, where: str, note: bytes, *, quorum: bool) -> SignedCheckpoint:
        """A checkpoint's note, signed as it must be; with enough witnesses only where `quorum` asks for it. Raises Damage."""
        logs = tuple(_in_epoch(log, note) for log in self.policy.logs)
        policy = replace(self.policy, logs=logs, quorum=self.policy.quorum if quorum else NONE)
        try:
            return policy.open(note)
        except (NoteMalformed, CheckpointMalformed) as error:
            raise Damage(Kind.checkpoint_malformed, where, f"is no checkpoint: {error}") from None
        except SignatureInvalid as error:
            raise Damage(Kind.signature_wrong, where, f"{error}: the text or the signature was altered") from None
        except Unsigned:
            signers = ", ".join(f"{one.name}+{one.key_id.hex()}" for one in parse_note(note)[1])
            trusted = ", ".join(f"{log.key.name}+{log.key.id.hex()}" for log in self.policy.logs)
            raise Damage(Kind.unsigned, where, f"is signed by {signers}, not by the trusted key {trusted}") from None
        except OtherOrigin as error:
            raise Damage(Kind.other_log, where, str(error)) from None
        except QuorumMissed as error:
            raise Damage(Kind.unwitnessed, where, str(error)) from None


def _in_epoch(log: Party, note: bytes) -> Party:
    return replace(log, key=_renamed(log.key, note.partition(b"\n")[0].decode("utf-8", "replace")))


def _renamed(key: VerifierKey, origin: str) -> VerifierKey:
    """A log's key under the name that it has in an origin's epoch: an epoch is another name of the same log and key (decision 0011)."""
    try:
        said, known = Origin.parse(origin), Origin.parse(key.name)
    except OriginMalformed:
        return key
    same = key.type == ED25519 and replace(said, epoch=0) == replace(known, epoch=0)
    return VerifierKey.of(origin, ED25519, key.material[1:]) if same else key


def given(keys: Sequence[VerifierKey]) -> Trust:
    """Trust in keys that were handed over: logs' keys, and witnesses' keys, of whom then all must have cosigned."""
    logs = tuple(Party(key) for key in keys if key.type == ED25519)
    witnesses = {key.name: Party(key) for key in keys if key.type != ED25519}
    groups = {GIVEN: Group(len(witnesses), tuple(witnesses))} if witnesses else {}
    return Trust(Policy(logs, witnesses, groups, GIVEN if groups else NONE), from_log=False)


def found(files: LogFiles, known: VerifierKey | None = None) -> Trust:
    """Trust in the keys and the policy beside a log, which must speak of the same key, and of the one `known`.

    Raises Damage, LogUnreadable.
    """
    keys = _beside(files, KEYS)
    if keys is None:
        raise LogUnreadable(f"there is no file `{KEYS}` at {files.place}: name the log's key yourself")
    logs = parse_keys(KEYS, keys)
    if known is not None and logs != [_renamed(known, logs[0].name)]:
        raise Damage(Kind.key_wrong, KEYS, f"is not the key of {known.name} that is known here")
    policy_text = _beside(files, POLICY)
    if policy_text is None:
        return Trust(given(logs).policy, from_log=known is None)
    try:
        policy = Policy.parse(policy_text)
    except PolicyMalformed as error:
        raise Damage(Kind.policy_malformed, POLICY, str(error)) from None
    if {log.key for log in policy.logs} != set(logs):
        raise Damage(Kind.key_wrong, POLICY, f"names other keys of logs than the file `{KEYS}`")
    return Trust(policy, from_log=known is None)


def parse_keys(where: str, content: bytes) -> list[VerifierKey]:
    """Verifier keys, one a line; empty lines and those that begin with # say nothing. Raises Damage."""
    found: list[VerifierKey] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(VerifierKey.parse(line.strip()))
            except KeyMalformed as error:
                raise Damage(Kind.key_wrong, where, f"line {number}: {error}") from None
    if not found:
        raise Damage(Kind.key_wrong, where, "has no key in it")
    return found


def _beside(files: LogFiles, name: str) -> bytes | None:
    try:
        return files.read(name, NOTE_BYTES_MAX)
    except FileMissing:
        return None
    except FileTooLarge:
        raise Damage(Kind.key_wrong, name, f"is larger than {NOTE_BYTES_MAX:,} bytes") from None


def checkpoint_at(files: LogFiles, path: str, trust: Trust, *, quorum: bool) -> SignedCheckpoint:
    """A checkpoint of a log. Raises Damage, LogUnreadable."""
    try:
        note = files.read(path, NOTE_BYTES_MAX)
    except FileMissing:
        raise Damage(
            Kind.checkpoint_missing, path, f"is missing: nothing has been published at {files.place} yet, or not all of it was copied"
        ) from None
    except FileTooLarge:
        raise Damage(Kind.checkpoint_malformed, path, f"is larger than {NOTE_BYTES_MAX:,} bytes") from None
    return trust.open(path, note, quorum=quorum)
