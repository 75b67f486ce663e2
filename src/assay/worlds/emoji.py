"""Emoji as four designers draw them: the same 1,586 symbols in four styles, in eight groups, each with its exact mask.

A real shift of domain that nobody made for the purpose, and real shapes with true masks. The styles are noto (Google), twemoji
(Twitter), fluent (Microsoft, flat) and openmoji (thin outlines, the most unlike the others); licences are in data/LICENSES.md.
Training and test hold different symbols, not just different pictures: a symbol seen in one style would tell its group in another.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.worlds._packed import packed
from assay.worlds._sources import resize
from assay.worlds._split import check_counts, refuse

FACTORS = ("clean_label", "domain", "mask", "source")
MOST = {"train": 4440, "test": 476}  # 1,110 symbols in up to four styles; the others, each once
INPUTS = ("emoji.npz", "emoji_openmoji.npz")
STYLES = ("noto", "twemoji", "fluent", "openmoji")
SIDE = 32
HELD_OUT = 0.3  # share of each group's symbols that only tests see


def emoji(
    draw: Draw,
    *,
    size: Annotated[int, Ge(8), Le(32)] = 32,
    train: Annotated[int, Ge(1)] = 3000,
    test: Annotated[int, Ge(1)] = 450,
    train_styles: list[Literal["noto", "twemoji", "fluent", "openmoji"]] = [  # noqa: B006
        "noto",
        "twemoji",
        "fluent",
    ],
    test_styles: list[Literal["noto", "twemoji", "fluent", "openmoji"]] = ["openmoji"],  # noqa: B006
    background: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> World:
    """Classes are the groups that symbols belong to (activities, animals, food, ...), in the shares that they have among all.

    train, test: images, of different symbols. A symbol may come in each of the training styles, and comes in one of the test
    styles. background: grey value behind the drawing, white by default. extra["seen"]: the symbols of the test images, each in
    one of the training styles. Factors: clean_label, domain (index into STYLES), mask (N, size, size), true where the drawing
    covers half of a pixel or more, source (the symbol's row).

    Raises StudyError when a split has no style, or fewer images than asked for.
    """
    for name, styles in (("train_styles", train_styles), ("test_styles", test_styles)):
        if not styles:
            raise refuse("emoji", name, styles, f"one or more of {', '.join(STYLES)}", "name at least one")
    labels = packed("emoji.npz")["labels"].astype(np.int64)
    check_counts("emoji", 1 + labels.max(), train=train, test=test)
    known, unknown = _symbols(draw, labels)
    domains = np.array(sorted({STYLES.index(style) for style in train_styles}))
    pairs = np.stack([np.repeat(known, len(domains)), np.tile(domains, len(known))], axis=1)
    for part, count, most in (("train", train, len(pairs)), ("test", test, len(unknown))):
        if count > most:
            raise refuse("emoji", part, count, f"at most {most} images", f"lower {part}")
    tested = draw("test", "order").permutation(unknown)[:test]

    def once(part: str, styles: Sequence[str]) -> Split:
        own = np.array([STYLES.index(style) for style in styles])[draw(part, "style").integers(0, len(styles), len(tested))]
        return _pictures(np.stack([tested, own], axis=1), labels, size, background)

    return World(
        _pictures(draw("train", "order").permutation(pairs)[:train], labels, size, background),
        once("test", test_styles),
        tuple(packed("emoji.npz")["groups"].tolist()),
        {"seen": once("seen", train_styles)},
    )


def _symbols(draw: Draw, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symbols for training and those for tests: of each group, the share HELD_OUT goes to tests."""
    order = draw("symbols").permutation(len(labels))
    tested = np.zeros(len(labels), bool)
    for group in np.unique(labels):
        members = order[labels[order] == group]
        tested[members[: round(HELD_OUT * len(members))]] = True
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def _pictures(pairs: np.ndarray, labels: np.ndarray, size: int, background: float) -> Split:
    """Symbols in styles, pairs (N, 2), drawn on the background."""
    symbols, domains = pairs.T
    layers = np.empty((len(pairs), 4, SIDE, SIDE), np.float32)
    for domain in np.unique(domains):
        rows, style = domains == domain, STYLES[domain]
        stored = packed("emoji_openmoji.npz" if style == "openmoji" else "emoji.npz")[style]
        layers[rows] = stored[symbols[rows]].transpose(0, 3, 1, 2) / np.float32(255)
    layers = resize(layers, size)
    coverage = layers[:, 3:]
    images = np.clip(layers[:, :3] + np.float32(background) * (1 - coverage), 0, 1)
    factors = {"clean_label": labels[symbols], "domain": domains, "mask": coverage[:, 0] >= 0.5, "source": symbols}
    return Split(images, labels[symbols], factors)
