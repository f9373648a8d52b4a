"""Calls that share a round: each is answered, whatever becomes of the others."""

import asyncio

from foundation.batched import Shared


async def test_a_call_that_comes_as_a_batch_ends_is_answered() -> None:
    async def run(items: list[int]) -> list[int]:
        return items

    shared: Shared[int, int] = Shared(run, at_once=1)
    for n in range(100):
        assert await asyncio.wait_for(shared([n]), 5) == [n]
    assert await asyncio.gather(*(shared([n, n]) for n in range(50))) == [[n, n] for n in range(50)]


async def test_who_asks_during_a_round_gets_the_next_and_not_its_answer() -> None:
    rounds: list[list[int]] = []
    go = asyncio.Event()

    async def run(items: list[int]) -> list[int]:
        rounds.append(items)
        await go.wait()
        return [len(rounds) for _ in items]

    shared: Shared[int, int] = Shared(run, at_once=1)
    first = asyncio.create_task(shared([1]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert rounds == [[1]]
    others = [asyncio.create_task(shared([n])) for n in (2, 3)]
    given_up = asyncio.create_task(shared([4]))
    await asyncio.sleep(0)
    given_up.cancel()
    go.set()
    assert await asyncio.wait_for(asyncio.gather(first, *others), 5) == [[1], [2], [2]]
    assert rounds == [[1], [2, 3, 4]]


async def test_what_the_run_raises_reaches_everybody_in_it_and_a_result_that_is_an_exception_its_own_caller() -> None:
    async def run(items: list[int]) -> list[int | Exception]:
        if 0 in items:
            raise ConnectionError("gone")
        return [KeyError(n) if n < 0 else n for n in items]

    shared: Shared[int, int] = Shared(run, at_once=1)
    both = await asyncio.gather(shared([0]), shared([1]), return_exceptions=True)
    assert [str(one) for one in both] == ["gone", "gone"]
    refused, answered = await asyncio.gather(shared([-1, 1]), shared([2]), return_exceptions=True)
    assert isinstance(refused, KeyError)
    assert answered == [2]
    assert await shared([]) == []
