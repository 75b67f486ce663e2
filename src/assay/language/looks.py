"""The schedule of looks at a study's judged draws, and what each look costs.

Seeds are looked at when there are n_1, 2 n_1, 4 n_1, ... of them, n_1 being the scale's first look; other numbers of seeds are
no looks. A p-value of the k-th look counts 2^k times: over all looks that may ever come, sum 2^-k = 1, a claim spends its level
once. Looks at the draws of earlier texts go on counting. Every scheduled look up to the number of seeds is charged whether anyone
looked or not, so a verdict depends on the observations alone.
"""


def scheduled(first_look: int, seeds: int) -> tuple[int, ...]:
    """The looks n_1 < n_2 < ... at or below this many seeds: first_look, twice, four times as many, ..."""
    looks = []
    while first_look <= seeds:
        looks.append(first_look)
        first_look *= 2
    return tuple(looks)


def looks_at(first_look: int, seen: int) -> int:
    """How many looks are made by the time that `seen` seeds are measured."""
    return len(scheduled(first_look, seen))


def next_look(first_look: int, seeds: int) -> int:
    """The first look above a number of seeds."""
    return first_look * 2 ** looks_at(first_look, seeds)


def price(look: int, earlier: int = 0) -> int:
    """What the p-value of a look (1, 2, ...) is multiplied by, after so many looks at earlier texts."""
    return 2 ** (look + earlier)
