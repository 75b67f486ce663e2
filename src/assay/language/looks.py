"""Looks: after how many seeds a study is judged. The first comes after a scale's `first_look`, each next one after twice as many.

The p of the k-th look is multiplied by 2^k (assay.judging), so that looking again costs, and other numbers of seeds are no looks.
"""


def scheduled(first_look: int, seeds: int) -> tuple[int, ...]:
    """The looks at or below a number of seeds: first_look, twice that, four times that, ..."""
    looks = []
    while first_look <= seeds:
        looks.append(first_look)
        first_look *= 2
    return tuple(looks)


def looks_at(first_look: int, seen: int) -> int:
    """How many looks there are at or below a number of seeds."""
    return len(scheduled(first_look, seen))


def next_look(first_look: int, seeds: int) -> int:
    """The first look above a number of seeds."""
    return first_look * 2 ** looks_at(first_look, seeds)
