"""A timeline tells the same truth in whatever order its changes are told."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from membership.timeline import Timeline

DAYS = st.integers(0, 12).map(lambda offset: date(2026, 1, 1) + timedelta(days=offset))


@given(st.dictionaries(DAYS, st.integers(), min_size=1), st.randoms(use_true_random=False), DAYS)
def test_the_order_of_telling_does_not_matter_between_days(changes: dict[date, int], random: object, day: date) -> None:
    order = sorted(changes)
    random.shuffle(order)  # type: ignore[attr-defined]
    timeline: Timeline[int] = Timeline()
    for told in order:
        timeline = timeline.set(told, changes[told])
    known = [change for change in sorted(changes) if change <= day]
    if known:
        assert timeline.at(day) == changes[known[-1]]
    else:
        with pytest.raises(LookupError):
            timeline.at(day)
    assert timeline.latest == changes[max(changes)]


@given(st.lists(st.tuples(DAYS, st.integers()), min_size=1), DAYS)
def test_spans_are_what_at_says(changes: list[tuple[date, int]], day: date) -> None:
    timeline: Timeline[int] = Timeline()
    for told, value in changes:
        timeline = timeline.set(told, value)
    holding = [value for since, until, value in timeline.spans() if since <= day and (until is None or day < until)]
    assert holding == ([timeline.at(day)] if day >= min(told for told, _ in changes) else [])


def test_nothing_known_is_said() -> None:
    nothing: Timeline[int] = Timeline()
    with pytest.raises(LookupError):
        _ = nothing.latest
