"""Images per processor second of each world at its default size: `OMP_NUM_THREADS=1 python bench/worlds.py [name ...]`."""

import sys
import time
from functools import partial

from assay.data.seeds import Draw
from assay.language.plugs import find, load

REPEATS = 3


def images_per_second(name: str) -> tuple[float, int]:
    """The best of a few repeats, by processor time, which others on the machine disturb least; and the size of an image."""
    make = load("worlds", name)
    if "of" in find("worlds")[name].parameters:
        make = partial(make, of=load("worlds", "shapes"))
    speeds = []
    for repeat in range(REPEATS):
        start = time.process_time()
        world = make(Draw("bench", repeat))
        seconds = time.process_time() - start
        speeds.append(sum(len(split) for split in world.splits().values()) / seconds)
    return max(speeds), world.train.images.shape[-1]


def main(names: list[str]) -> None:
    available = [name for name, plug in sorted(find("worlds").items()) if not any(p.parent for p in plug.parameters.values())]
    print("| world | pixels a side | images/s |\n|---|---|---|")
    for name in names or available:
        speed, size = images_per_second(name)
        print(f"| {name} | {size} | {speed:,.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
