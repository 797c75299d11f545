"""Steps of several pieces of work, one in each turn of the loop."""

from __future__ import annotations

import asyncio

from atraso.serving.turns import Turns


async def steps(turns: Turns, name: str, count: int, done: list[tuple[int, str]], turn: list[int]) -> None:
    for _ in range(count):
        await turns.next()
        done.append((turn[0], name))


async def taken(*counts: int) -> list[tuple[int, str]]:
    """Let pieces of work take *counts* of steps, and return in which turn of the loop each was taken."""
    turns, done, turn = Turns(), [], [0]
    loop = asyncio.get_running_loop()

    def count() -> None:
        turn[0] += 1
        loop.call_soon(count)

    loop.call_soon(count)
    names = "abcdefgh"
    await asyncio.gather(*(steps(turns, names[n], size, done, turn) for n, size in enumerate(counts)))
    return done


def test_no_turn_has_two_steps_and_all_have_their_share() -> None:
    """Three pieces of work take turns, in the order in which they asked."""
    done = asyncio.run(taken(3, 3, 3))
    turns = [turn for turn, _ in done]
    assert len(set(turns)) == len(turns)
    assert [name for _, name in done] == list("abcabcabc")


def test_one_piece_of_work_alone_goes_on() -> None:
    """Its steps are all taken."""
    assert len(asyncio.run(taken(5))) == 5


def test_work_that_was_given_up_does_not_stop_the_others() -> None:
    """A task that is cancelled while it waits loses its turn, and the next has it."""

    async def main() -> list[tuple[int, str]]:
        turns, done = Turns(), []
        tasks = [asyncio.create_task(steps(turns, name, 2, done, [0])) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return done

    assert [name for _, name in asyncio.run(main())] == list("bcbc")
