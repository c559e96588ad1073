"""The network simplex finds the optimum, and says so where there is none."""

import random
from itertools import product

import pytest

from fsm_lifecycle.diagrams.simplex import Pull, solve

pytestmark = pytest.mark.pure


def cost(at: tuple[int, ...] | list[int], pulls: list[Pull]) -> int:
    return sum(pull.weight * (at[pull.lower] - at[pull.upper]) for pull in pulls)


def kept(at: tuple[int, ...] | list[int], pulls: list[Pull]) -> bool:
    return all(at[pull.lower] - at[pull.upper] >= pull.least for pull in pulls)


@pytest.mark.parametrize("seed", range(25))
def test_no_other_places_cost_less(seed: int) -> None:
    """Compared with every way to place five things within eight."""
    dice = random.Random(seed)
    pulls = [Pull(a, a + 1, dice.randrange(3), dice.randrange(4)) for a in range(4)]
    for _ in range(4):
        a, b = sorted(dice.sample(range(5), 2))
        pulls.append(Pull(a, b, dice.randrange(3), dice.randrange(6)))
    found = solve(5, pulls)
    assert kept(found, pulls)
    assert min(found) == 0
    least = min(cost(at, pulls) for at in product(range(8), repeat=5) if kept(at, pulls))
    assert cost(found, pulls) == least


def test_one_thing_stands_at_the_beginning() -> None:
    assert solve(1, []) == [0]


def test_distances_in_a_ring_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="cycle"):
        solve(2, [Pull(0, 1, 1, 1), Pull(1, 0, 1, 1)])
