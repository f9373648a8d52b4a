"""Whatever arrives, a consumer takes its history and nothing else, or asks."""

from foundation.broker.port import Message
from foundation.continuity import Following, follow
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


@given(st.lists(st.sampled_from(HISTORY), max_size=60), st.integers(0, 29))
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


@given(st.lists(st.one_of(st.sampled_from(HISTORY), OTHERS), max_size=60))
def test_messages_of_other_histories_are_never_taken(messages: list[Message]) -> None:
    following = follow(Cursor(0, 0, LEAVES[1]), messages)

    assert [entry.record for entry in following.entries] == RECORDS[1 : 1 + len(following.entries)]


@given(st.lists(st.one_of(st.sampled_from(HISTORY), OTHERS), min_size=1))
def test_who_has_applied_nothing_asks(messages: list[Message]) -> None:
    assert follow(START, messages) == Following((), max(message.position for message in messages))


def test_the_whole_history_in_order_needs_no_question() -> None:
    following = follow(Cursor(0, 0, LEAVES[1]), HISTORY)
    assert (len(following.entries), following.ask) == (29, None)
