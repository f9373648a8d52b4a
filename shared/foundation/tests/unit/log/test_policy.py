"""Trust policies and proof files: what they accept, and that nothing else is read."""

from contextlib import suppress

import pytest
from foundation.log.checkpoint import Checkpoint, CheckpointMalformed, OtherOrigin
from foundation.log.note import COSIGNATURE, PRIVATE, NoteMalformed, SignatureInvalid, SigningKey, Unsigned, VerifierKey, cosign, sign
from foundation.log.policy import Policy, PolicyMalformed, QuorumMissed
from foundation.log.proof_file import ProofFile, ProofFileMalformed
from foundation.log.proofs import ProofInvalid
from hypothesis import given
from hypothesis import strategies as st

from . import naive

ORIGIN = "union.example/370911/assistance"
LOG = SigningKey(ORIGIN, b"l" * 32)
WITNESSES = {name: SigningKey(f"{name.lower()}.example", name.encode() * 16, COSIGNATURE) for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
LEAVES = [bytes([number]) * 32 for number in range(13)]
CHECKPOINT = Checkpoint(ORIGIN, 13, naive.tree(LEAVES))
PROOF = tuple(naive.path(5, LEAVES))

POLICY = "\n".join(
    [
        f"log {LOG.verifier} https://log.example/",
        "",
        " \t# the example of the specification",
        *(f"witness {name} {WITNESSES[name].verifier}" for name in ("X1", "X2", "X3")),
        "\tgroup  X-witnesses\t2 X1 X2 X3 ",
        *(f"witness {name} {WITNESSES[name].verifier} https://{name}.example/witness" for name in ("Y1", "Y2", "Y3")),
        "group Y-witnesses any Y1 Y2 Y3",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y\n",
    ]
)


def note(*witnesses: str, body: str = CHECKPOINT.body(), log: SigningKey = LOG) -> bytes:
    """A checkpoint, cosigned by these."""
    return (sign(body, log) + "".join(cosign(body, WITNESSES[name], 1_700_000_000).line() for name in witnesses)).encode()


@given(st.sets(st.sampled_from(sorted(WITNESSES))))
def test_the_example_of_the_specification(witnesses: set[str]) -> None:
    policy = Policy.parse(POLICY.encode())
    enough = len(witnesses & {"X1", "X2", "X3"}) >= 2 and bool(witnesses & {"Y1", "Y2", "Y3"})
    if enough:
        assert policy.open(note(*witnesses)).checkpoint == CHECKPOINT
    else:
        with pytest.raises(QuorumMissed) as missed:
            policy.open(note(*witnesses))
        assert set(missed.value.witnesses) == witnesses


def test_a_policy_reads_as_written() -> None:
    policy = Policy.parse(POLICY.encode())
    assert Policy.parse(policy.encode()) == policy
    assert policy.logs[0].url == "https://log.example/"
    assert (policy.witnesses["Y1"].url, policy.witnesses["X1"].url) == ("https://Y1.example/witness", None)


def test_whose_checkpoints_count() -> None:
    alone = Policy.parse(f"log {LOG.verifier}\nquorum none".encode())
    assert alone.open(note()).checkpoint == CHECKPOINT
    assert alone.open(note("X1")).note.unverified[0].name == "x1.example"
    stranger = SigningKey("union.example/370911/rights", b"s" * 32)
    with pytest.raises(Unsigned):
        alone.open(note(log=stranger))
    both = Policy.parse(f"log {LOG.verifier}\nlog {stranger.verifier}\nquorum none\n".encode())
    with pytest.raises(OtherOrigin):  # one log may not speak for another
        both.open(note(log=stranger))
    with pytest.raises(CheckpointMalformed):
        both.open(sign("text\n", LOG).encode())
    witnessed = Policy.parse(f"log {LOG.verifier}\nwitness W {WITNESSES['X1'].verifier}\nquorum W\n".encode())
    only_cosigned = note("X1").decode().splitlines(keepends=True)
    with pytest.raises(Unsigned):
        witnessed.open("".join(line for line in only_cosigned if not line.startswith(f"— {ORIGIN}")).encode())
    assert witnessed.open(note("X1")).checkpoint == CHECKPOINT
    with pytest.raises(QuorumMissed):
        witnessed.open(note("X2"))
    # A witness that cosigned twice counts once.
    one, other = (WITNESSES[name].verifier for name in ("X1", "X2"))
    two = Policy.parse(f"log {LOG.verifier}\nwitness A {one}\nwitness B {other}\ngroup g 2 A B\nquorum g\n".encode())
    with pytest.raises(QuorumMissed):
        two.open(note("X1") + cosign(CHECKPOINT.body(), WITNESSES["X1"], 1_800_000_000).line().encode())


def test_keys_of_types_not_known_here_never_witness() -> None:
    sm2 = VerifierKey("sm2.example", b"\1\2\3\4", bytes([PRIVATE]) + b"gm/t 0003 sm2" + b"k" * 64)
    policy = Policy.parse(f"log {LOG.verifier}\nwitness S {sm2}\nquorum S\n".encode())
    with pytest.raises(QuorumMissed):
        policy.open(note() + b"\xe2\x80\x94 sm2.example AQIDBGFhYWE=\n")


def test_thirty_two_of_each_are_taken() -> None:
    keys = [SigningKey(f"k{number}", bytes([number]) * 32) for number in range(1, 65)]
    lines = [f"log {key.verifier}" for key in keys[:32]]
    lines += [f"witness w{number} {SigningKey(key.name, key.seed, COSIGNATURE).verifier}" for number, key in enumerate(keys[32:])]
    lines += [f"group g{number} all w{number}" for number in range(32)]
    policy = Policy.parse("\n".join([*lines, "quorum g31\n"]).encode())
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)


def test_names_are_octets() -> None:
    key = WITNESSES["X1"].verifier
    policy = Policy.parse(
        b"witness K %b\nwitness \xe2\x84\xaa %b\nwitness \xff %b\ngroup g any \xff K\nquorum g"
        % tuple(str(WITNESSES[name].verifier).encode() for name in ("X1", "X2", "X3"))
    )
    assert len(policy.witnesses) == 3
    assert policy.witnesses["K"].key == key
    assert Policy.parse(policy.encode()) == policy


W = f"witness W {WITNESSES['X1'].verifier}\n"
V = f"witness V {WITNESSES['X2'].verifier}\n"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "# nothing\n",
            "log\nquorum none\n",
            "quorum\n",
            "quorum a b\n",
            "quorum none\nquorum none\n",
            "quorum W\n",
            "quorum W\n" + W,
            "trust none\n",
        ),
        *(f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none\n", f"log {LOG.verifier} a b\nquorum none\n", "log a+b+c\nquorum none\n"),
        *(
            W + W + "quorum W\n",
            W + W.replace(" W ", " V ") + "quorum W\n",
            W.replace(" W ", " none ") + "quorum none\n",
            W + V.replace(" V ", " W ") + "quorum W\n",
        ),
        *(f"witness W {LOG.verifier}\nquorum W\n", "witness W\nquorum none\n", W[:-1] + " a b\nquorum none\n"),
        *(W + V + f"group g {needed} W V\nquorum g\n" for needed in ("0", "3", "-1", "01", "one", "٢", "9" * 30, "ANY")),
        *(
            W + "group g any\nquorum none\n",
            W + "group g any W W\nquorum g\n",
            W + "group g any V\nquorum g\n",
            W + "group g any g\nquorum g\n",
        ),
        *(
            W + "group W any W\nquorum W\n",
            W + "group none any W\nquorum none\n",
            W + "group g any none\nquorum g\n",
            W + "group g any W\ngroup h any W\nquorum g\n",
        ),
        *("quorum none\r\n", "quorum none\x00\n", "quorum\x0bnone\n", "quorum none\x7f\n", "quorum\u2003none\n"),
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(PolicyMalformed):
        Policy.parse(text.encode())


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([*POLICY.split(), "\n", "\n", "none", "any", "W", "log", "witness"])).map(
        lambda words: " ".join(words).encode()
    )
)
def test_any_bytes_are_a_policy_or_none(data: bytes) -> None:
    with suppress(PolicyMalformed):
        policy = Policy.parse(data)
        assert Policy.parse(policy.encode()) == policy


@given(st.data())
def test_a_changed_policy_reads_as_one_or_is_refused(data: st.DataObject) -> None:
    changed = bytearray(POLICY.encode())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=4))
    with suppress(PolicyMalformed):
        Policy.parse(bytes(changed))


FILE = ProofFile(5, PROOF, note("X1", "X2", "Y3"))


@pytest.mark.parametrize("extra", [None, b"", b"anything"])
def test_a_proof_file_proves_its_record_and_no_other(extra: bytes | None) -> None:
    file = ProofFile(FILE.index, FILE.proof, FILE.note, extra)
    assert ProofFile.parse(file.encode()) == file
    policy = Policy.parse(POLICY.encode())
    assert file.check(LEAVES[5], policy).checkpoint == CHECKPOINT
    with pytest.raises(ProofInvalid):
        file.check(LEAVES[6], policy)
    with pytest.raises(ProofInvalid):
        ProofFile(6, file.proof, file.note).check(LEAVES[5], policy)
    with pytest.raises(QuorumMissed):
        ProofFile(5, file.proof, note("X1")).check(LEAVES[5], policy)


def test_the_form_of_a_proof_file() -> None:
    head = FILE.encode().partition(b"\n\n")[0].decode().split("\n")
    assert head[:2] == ["c2sp.org/tlog-proof@v1", "index 5"]
    assert len(head) == 2 + len(PROOF)
    assert FILE.encode().endswith(FILE.note)
    assert ProofFile.parse(b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n" + FILE.note) == ProofFile(0, (), FILE.note, b"\0\0\0")


HEAD = "c2sp.org/tlog-proof@v1\n"
HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "\n\n",
            HEAD,
            HEAD + "\n",
            HEAD + "index 0\n",
            HEAD + "index 01\n\n",
            HEAD + "index -1\n\n",
            HEAD + "index \n\n",
            HEAD + "index ٣\n\n",
        ),
        *(
            HEAD + f"index {2**63}\n\n",
            HEAD + f"{HASH}\n\n",
            HEAD + f"index 0\n{HASH[:-1]}\n\n",
            HEAD + "index 0\nAAAA\n\n",
            HEAD + f"index 0\n{HASH}\r\n\n",
        ),
        *(
            "c2sp.org/tlog-proof@v2\nindex 0\n\n",
            HEAD + "extra A\nindex 0\n\n",
            HEAD + "extra AAAA\nextra AAAA\nindex 0\n\n",
            HEAD + "index 0\nextra AAAA\n\n",
        ),
        *(HEAD + "index 0\n" + f"{HASH}\n" * 64 + "\n", HEAD + "index 0\n汉\n\n", " " + HEAD + "index 0\n\n"),
    ],
)
def test_what_is_no_proof_file(text: str) -> None:
    with pytest.raises(ProofFileMalformed):
        ProofFile.parse(text.encode())


@given(st.binary(max_size=200) | st.text("indexra 01A=\n", max_size=90).map(lambda text: (HEAD + text).encode()))
def test_any_bytes_are_the_only_spelling_of_a_proof_file_or_none(data: bytes) -> None:
    with suppress(ProofFileMalformed):
        assert ProofFile.parse(data).encode() == data


@given(st.data())
def test_a_changed_proof_file_proves_the_same_or_nothing(data: st.DataObject) -> None:
    changed = bytearray(FILE.encode())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    policy = Policy.parse(POLICY.encode())
    with suppress(
        ProofFileMalformed, NoteMalformed, SignatureInvalid, Unsigned, CheckpointMalformed, OtherOrigin, QuorumMissed, ProofInvalid
    ):
        file = ProofFile.parse(bytes(changed))
        signed = file.check(LEAVES[5], policy)
        assert (file.index, file.proof, signed.checkpoint) == (5, PROOF, CHECKPOINT)
