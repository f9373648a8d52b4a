"""Whatever arrives, a consumer takes its history and nothing else, or asks."""

from foundation.broker.port import Message
from foundation.continuity import follow
from foundation.cursor import START, Cursor
from foundation.record import leaf_hash
from foundation.store.port import NO_LEAF
from hypothesis import given
from hypothesis import strategies as st

RECORDS = [b"record %d" % position for position in range(30)]
LEAVES = [NO_LEAF, *(leaf_hash(record) for record in RECORDS)]
HISTORY = [Message("key", record, 0, position, LEAVES[position]) for position, record in enumerate(RECORDS)]
OTHERS = st.builds(
    Message,
    key=st.just("key"),
    value=st.binary(max_size=8),
    epoch=st.integers(0, 2),
    position=st.integers(0, 40),
    previous_leaf=st.sampled_from([bytes(32), b"\x01" * 32]),
)


@given(st.lists(st.sampled_from(HISTORY), max_size=60), st.integers(-1, 29))
def test_any_selection_of_true_messages_gives_a_stretch_of_the_history(messages: list[Message], last: int) -> None:
    following = follow(Cursor(0, last, LEAVES[last + 1]), messages)

    taken = [entry.position for entry in following.entries]
    assert taken == list(range(last + 1, last + 1 + len(taken)))
    assert [entry.record for entry in following.entries] == RECORDS[last + 1 : last + 1 + len(taken)]
    newest = max((message.position for message in messages), default=-1)
    if following.ask is None:
        assert newest <= last + len(taken)  # nothing that was heard of is forgotten
    else:
        assert following.ask == max(message.position for message in messages if message.position > last + len(taken))


@given(st.lists(st.one_of(st.sampled_from(HISTORY), OTHERS.filter(lambda m: m.position != 0)), max_size=60))
def test_messages_of_other_histories_are_never_taken(messages: list[Message]) -> None:
    following = follow(START, messages)

    assert [entry.record for entry in following.entries] == RECORDS[: len(following.entries)]


def test_the_whole_history_in_order_needs_no_question() -> None:
    following = follow(START, HISTORY)
    assert (len(following.entries), following.ask) == (30, None)
