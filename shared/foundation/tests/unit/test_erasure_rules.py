"""The rules of an erasure: begun once, told once, open while anything is kept."""

from datetime import timedelta

from contracts.foundation import ErasureBasis, ErasureBegun, ErasureCarriedOut, Kept, KeptGround, KeysDestroyed
from foundation.decider import NOON, given
from foundation.erasure.rules import ERASURE, KEYS_MAX, Begin, Begun, Record

ANN, ORDER = "a" * 32, "e" * 32
BASIS = ErasureBasis.consent_withdrawn
EARLIER = NOON - timedelta(days=1)

begun = ErasureBegun(subject=ANN, erasure=ORDER, basis=BASIS, ordered_at=EARLIER)
held = Kept(purpose="voucher", ground=KeptGround.hold)
carried_out = ErasureCarriedOut(subject=ANN, erasure=ORDER, kept=(held,))


def destroyed(purpose: str, *keys: str) -> KeysDestroyed:
    return KeysDestroyed(subject=ANN, erasure=ORDER, basis=BASIS, purpose=purpose, keys=keys, at=NOON)


def test_an_erasure_begins_once() -> None:
    begin = Begin(ANN, ORDER, BASIS, EARLIER)
    given(ERASURE).when(begin).then(begun)
    given(ERASURE, begun).when(begin).then_nothing()
    given(ERASURE, begun, carried_out).when(Begin(ANN, "f" * 32, ErasureBasis.unlawful, NOON)).then_nothing()


def test_what_was_destroyed_and_what_is_kept_is_told() -> None:
    record = Record(ANN, (("membership", ("A" * 22,)), ("roster", ())), (held,))
    given(ERASURE, begun).when(record).then(destroyed("membership", "A" * 22), destroyed("roster"), carried_out)


def test_a_repetition_tells_nothing() -> None:
    done = (begun, destroyed("membership", "A" * 22), carried_out)
    given(ERASURE, *done).when(Record(ANN, (("membership", ("A" * 22,)),), (held,))).then_nothing()
    given(ERASURE).when(Record(ANN, (), ())).then_nothing()


def test_a_service_that_held_nothing_says_so() -> None:
    given(ERASURE, begun).when(Record(ANN, (), ())).then(ErasureCarriedOut(subject=ANN, erasure=ORDER))


def test_what_was_kept_is_destroyed_later() -> None:
    given(ERASURE, begun, carried_out).when(Record(ANN, (("voucher", ("B" * 22,)),), ())).then(
        destroyed("voucher", "B" * 22), ErasureCarriedOut(subject=ANN, erasure=ORDER)
    )


def test_it_is_open_until_nothing_is_kept() -> None:
    states = [ERASURE.fold(events) for events in ((begun,), (begun, carried_out), (begun, ErasureCarriedOut(subject=ANN, erasure=ORDER)))]
    assert [isinstance(state, Begun) and state.is_open for state in states] == [True, True, False]


def test_many_keys_fill_several_records() -> None:
    keys = tuple(f"{number:022}" for number in range(2 * KEYS_MAX + 1))
    events = given(ERASURE, begun).when(Record(ANN, (("case", keys),), ())).events
    parts = [event.keys for event in events if isinstance(event, KeysDestroyed)]
    assert [len(part) for part in parts] == [KEYS_MAX, KEYS_MAX, 1]
    assert tuple(key for part in parts for key in part) == keys
    assert len(events[0].model_dump_json()) < 50_000, "with its envelope a record holds 60,000 bytes"
