"""Measure the judge: how often it errs where the truth is known, what it can see, and what its corrections cost.

    python bench/calibrate.py               simulate (half an hour of core time), then write tables, figures and docs/judge.md
    python bench/calibrate.py --trainings   train the twins again first: 8 identical arms x 5 seeds, about 6 core-minutes
    python bench/calibrate.py --draw        only redraw figures and numbers from docs/data

Every simulation is seeded by its own settings, so the numbers repeat exactly.
"""

import argparse
import csv
import hashlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("svg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.judging.calibration import (
    AS_TODAY,
    LOOKS,
    NOISES,
    ONE,
    SEEDS,
    TRUTHS,
    Mean,
    Rate,
    World,
    corrections,
    drawn,
    held_in_revisions,
    paired,
    reported,
    revised,
    statements,
    supported_alone,
    twin_effects,
    twins,
    words_alone,
)
from assay.judging.claims import ALPHA, FAILS, HOLDS, Claims, corrected, p_values
from assay.judging.families import OPEN, Tier

DOCS = Path(__file__).parent.parent / "docs"
STUDIES = 10_000  # a setting: a true rate of 4% is measured to +-0.4%
REPORTS = {40: 400, 200: 100, 760: 40}
STRONG = 6.0  # standard deviations; found nearly always
EFFECTS = [step / 4 for step in range(17)]
CUT = 0.035  # what Benjamini and Hochberg's procedure leaves a claim of a report like today's
SHARING = {"none": (), "as today": AS_TODAY, "one": ONE, "one, both signs": ONE}
TWINS = 8
EPOCHS = 10
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe and Ito: told apart with any colour vision
MARKERS = ("o", "s", "^", "D", "v")


def generator(*setting: object) -> np.random.Generator:
    """The random draws of one simulation; not the studies' own, which are set anew when designs change."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(setting).encode()).digest()[:8], "big"))


# Measurements, each a list of rows for docs/data/judge-<name>.csv


def measure_null(noise: str) -> list[dict[str, Any]]:
    """One A/A claim, alone in its report: `holds`, and any word, after every look; and without the price of looks."""
    effects = paired(generator("null", noise), NOISES[noise], STUDIES, [0.0])[:, 0]
    priced, free = statements(effects), statements(effects, price=False)
    rows = []
    for look, seeds in enumerate(LOOKS):
        words = words_alone(priced[..., look])
        unpaid = int((free[HOLDS, :, look] <= ALPHA).sum())
        rows.append({"noise": noise, "seeds": seeds, "studies": STUDIES, "holds": int((words == HOLDS).sum()),
                     "any": int((words != OPEN).sum()), "unpaid": unpaid})  # fmt: skip
    return rows


def measure_paper(noise: str) -> list[dict[str, Any]]:
    """A paper of four claims, one of them exactly on its margin, the others far above: `supported` after every look."""
    p = statements(paired(generator("paper", noise), NOISES[noise], STUDIES, [STRONG, STRONG, STRONG, 0.0]))
    return [
        {"noise": noise, "seeds": seeds, "studies": STUDIES, "supported": supported_alone(p[..., look])}
        for look, seeds in enumerate(LOOKS)
    ]


def measure_bounds(noise: str) -> list[dict[str, Any]]:
    """An equivalence whose truth is its bound, and an arm compared with a number that is its mean: `holds` after all looks."""
    rng = generator("bounds", noise)
    on_the_bound = 4.0 + paired(rng, NOISES[noise], STUDIES, [0.0])[:, 0]
    arm = NOISES[noise](rng, (STUDIES, SEEDS))
    counts = {name: int((words_alone(p) == HOLDS).sum()) for name, p in
              (("equivalence", corrected(p_values(_equivalences(on_the_bound, 4.0), LOOKS[0]))),
               ("above_number", statements(arm)[..., -1]), ("below_number", statements(-arm)[..., -1]))}  # fmt: skip
    return [{"noise": noise, "studies": STUDIES, **counts}]


def _equivalences(effects: np.ndarray, half: float) -> Claims:
    plain = Claims.differences(effects, half)
    return Claims(plain.effects, plain.lower, plain.upper, np.ones(len(effects), bool), plain.resolution, plain.fixed)


def measure_power(effect: float) -> list[dict[str, Any]]:
    """A claim with this effect at the cut of a report like today's: found after every look."""
    p = statements(paired(generator("power", effect), NOISES["normal"], STUDIES, [effect])[:, 0])[HOLDS]
    return [
        {"effect": effect, "seeds": seeds, "studies": STUDIES, "found": int((p[:, look] <= CUT).sum())}
        for look, seeds in enumerate(LOOKS)
    ]


REPORTED = [
    (40, "as today", "half"),
    (40, "as today", "one in 80%"),
    (40, "as today", "opposite"),
    (760, "one", "half"),
    (760, "one", "most"),
    (40, "as today", "realistic"),
    (40, "one, both signs", "half"),
    (40, "none", "half"),
    (40, "none", "one in 80%"),
    (40, "as today", "most"),
    (200, "as today", "half"),
    (200, "as today", "one in 80%"),
    (760, "one", "one in 80%"),
]


def measure_reports(setting: tuple[int, str, str]) -> list[dict[str, Any]]:
    """Whole reports, seeds bought where claims are open and have a prospect."""
    papers, sharing, truth = setting
    rng, count = generator("reports", *setting), REPORTS[papers]
    world = World(papers, TRUTHS[truth], SHARING[sharing], "signs" in sharing, margin=1.0 if truth == "opposite" else 0.0)
    found = [reported(drawn(rng, world)) for _ in range(count)]
    rates = ("false_holds", "false_fails", "wrong_reasons", "false_supported", "false_without_gate", "found", "decided")
    row: dict[str, Any] = {"papers": papers, "sharing": sharing, "truth": truth, "reports": count}
    for name in rates:
        mean = Mean.of([getattr(each, name) for each in found])
        row |= {name: f"{mean.value:.5f}", f"{name}_error": f"{mean.error:.5f}"}
    often = np.quantile([each.false_holds for each in found], 0.95)
    return [row | {"false_holds_95": f"{often:.5f}", "seeds": f"{np.mean([each.seeds.mean() for each in found]):.2f}"}]


def measure_expected(how: str) -> list[dict[str, Any]]:
    """Reports like today's by the seeds allowed: the share of claims decided, of papers with a word, and the seeds taken."""
    rng, count = generator("expected", how), REPORTS[40] // 2
    reports = [drawn(rng, World(40, TRUTHS["realistic"], AS_TODAY)) for _ in range(count)]
    rows = []
    for limit in LOOKS:
        found = [reported(each, limit=limit, everywhere=how == "for all") for each in reports]
        rows.append({"how": how, "seeds": limit, "reports": count,
                     "decided": f"{np.mean([each.decided for each in found]):.4f}",
                     "papers": f"{np.mean([1 - each.words.open.mean() for each in found]):.4f}",
                     "taken": f"{np.mean([each.seeds.mean() for each in found]):.2f}"})  # fmt: skip
    return rows


def measure_corrections(limit: int) -> list[dict[str, Any]]:
    """What the corrections leave of reports like today's, one after the other."""
    rng, count = generator("corrections", limit), REPORTS[40] // 2
    found = [corrections(drawn(rng, World(40, TRUTHS["realistic"], AS_TODAY)), limit) for _ in range(count)]
    means = {name: f"{np.mean([getattr(each, name) for each in found]):.4f}" for name in vars(found[0])}
    return [{"seeds": limit, "reports": count, **means}]


def measure_others(test: str) -> list[dict[str, Any]]:
    """Single numbers: events among trials."""
    events, trials = OTHERS[test](generator("others", test))
    return [{"test": test, "events": events, "trials": trials}]


def all_null(rng: np.random.Generator, look: int, statement: int) -> tuple[int, int]:
    """Reports of 160 claims without any effect: how many have any claim of this word."""
    reports = 2000
    effects = paired(rng, NOISES["normal"], reports * 160, [0.0]).reshape(reports, 160, SEEDS)[..., : LOOKS[look]]
    words = (Tier(statements(each)[..., -1]).words() for each in effects)
    return sum(bool((each == statement).any()) for each in words), reports


def bought_or_all(rng: np.random.Generator) -> tuple[int, int]:
    """Claims whose word is another if seeds are bought only where claims are open, of all that have one word at most."""
    different = claims = 0
    for _ in range(200):
        report = drawn(rng, World(41, TRUTHS["realistic"], AS_TODAY))
        some, whole = reported(report, hopeless=False), reported(report, everywhere=True)
        both = (report.p[:2, ..., -1] <= ALPHA).all(axis=0)
        different += int((some.words.claims != whole.words.claims)[~both].sum())
        claims += int((~both).sum())
    return different, claims


def revisions(rng: np.random.Generator, counted: bool) -> tuple[int, int]:
    """A/A studies that hold in one of ten texts, each looked at twice on fresh draws."""
    return held_in_revisions(revised(rng, 10, 20_000), counted=counted), 20_000


OTHERS: dict[str, Callable[[np.random.Generator], tuple[int, int]]] = {
    "any holds, all null, look 1": lambda rng: all_null(rng, 0, HOLDS),
    "any holds, all null, look 2": lambda rng: all_null(rng, 1, HOLDS),
    "any fails, all null, look 1": lambda rng: all_null(rng, 0, FAILS),
    "any fails, all null, look 2": lambda rng: all_null(rng, 1, FAILS),
    "another word where seeds were bought": bought_or_all,
    "ten revisions": lambda rng: revisions(rng, counted=True),
    "ten revisions, looks counted anew": lambda rng: revisions(rng, counted=False),
}
MEASURED: dict[str, tuple[Callable[[Any], list[dict[str, Any]]], list[Any]]] = {
    "null": (measure_null, list(NOISES)),
    "paper": (measure_paper, list(NOISES)),
    "bounds": (measure_bounds, list(NOISES)),
    "power": (measure_power, EFFECTS),
    "others": (measure_others, list(OTHERS)),
    "expected": (measure_expected, ["for all", "where open"]),
    "corrections": (measure_corrections, list(LOOKS)),
    "reports": (measure_reports, REPORTED),
}


def simulate(processes: int) -> None:
    with ProcessPoolExecutor(processes) as pool:
        for name, (measure, settings) in MEASURED.items():
            write(name, [row for rows in pool.map(measure, settings) for row in rows])
            print(f"measured {name}", flush=True)


def twin_recipe(arm: int):
    """A small ResNet on shapes; arms differ in the draws of initial weights, order and augmentation alone."""
    from assay.language.plugs import describe
    from assay.language.recipes import Recipe

    def plug(name: str, **given: Any) -> dict[str, Any]:
        defaults = {key: parameter.default for key, parameter in describe(*name.split("/")).parameters.items()}
        return {"plug": name, "parameters": defaults | given}

    return Recipe({
        "world": plug("worlds/shapes", train=1536, test=1024),
        "model": plug("models/resnet"),
        "augment": [],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": plug("optimizers/sgd"),
        "schedule": plug("schedules/cosine"),
        "surgery": [],
        "budget": {"epochs": EPOCHS, "batch": 32},
        "draws": {"world": 0, "init": arm, "order": arm, "augment": arm},
        "record": [],
        "start": None,
    })  # fmt: skip


def train_twins() -> None:
    """Train every twin at every seed and keep its test accuracy and loss."""
    import torch
    import torch.nn.functional as F

    from assay.data.batch import to_tensors
    from assay.measuring.evaluate import predict
    from assay.training.beginnings import make_world
    from assay.training.trainer import train

    rows = []
    for seed in range(5):
        world = to_tensors(make_world(twin_recipe(0), seed), torch.device("cpu"))
        for arm in range(TWINS):
            trained = train(twin_recipe(arm), seed, world=world)
            logits, labels = predict(trained.network, world.test.images), world.test.labels
            top1 = (logits.argmax(1) == labels).double().mean().item()
            loss = F.cross_entropy(logits, labels).item()
            print(f"seed {seed}, twin {arm}: top1 {top1:.3f}, loss {loss:.3f}", flush=True)
            rows += [{"arm": f"twin{arm}", "seed": seed, "metric": "top1", "value": top1},
                     {"arm": f"twin{arm}", "seed": seed, "metric": "loss", "value": loss}]  # fmt: skip
    write("trainings", rows)


# Tables


def table_path(name: str) -> Path:
    return DOCS / "data" / f"judge-{name}.csv"


def write(name: str, rows: Iterable[dict[str, Any]]) -> None:
    rows = list(rows)
    with table_path(name).open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read(name: str) -> list[dict[str, str]]:
    with table_path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def rate_of(row: dict[str, str], event: str, trials: str = "studies") -> Rate:
    return Rate(int(row[event]), int(row[trials]))


def percent(rate: Rate) -> str:
    low, high = rate.interval
    return f"{100 * rate.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def markdown(header: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def by_look(table: str, noise: str, event: str) -> list[Rate]:
    """The rates of one noise after every look."""
    return [rate_of(row, event) for row in read(table) if row["noise"] == noise]


def in_turn(rates: list[Rate]) -> str:
    """Percentages after every look, with the interval of the last."""
    low, high = rates[-1].interval
    return f"{', '.join(f'{100 * rate.value:.1f}' for rate in rates)} [{100 * low:.1f}, {100 * high:.1f}]"


def null_table() -> str:
    header = ["noise", "falsely `holds`, % after each look", "any word", "without the price", "paper falsely `supported`"]
    lines = []
    for noise in NOISES:
        held, supported = in_turn(by_look("null", noise, "holds")), in_turn(by_look("paper", noise, "supported"))
        lines.append([noise, held, *(f"{100 * by_look('null', noise, e)[-1].value:.1f}" for e in ("any", "unpaid")), supported])
    return markdown(header, lines)


def bounds_table() -> str:
    events = ("equivalence", "above_number", "below_number")
    header = ["noise", "`-w < a - b < w`, truth w", "`a > c`, truth c", "`a < c`, truth c"]
    return markdown(header, [[row["noise"], *(percent(rate_of(row, event)) for event in events)] for row in read("bounds")])


def power_table() -> str:
    rates = {(int(row["seeds"]), float(row["effect"])): rate_of(row, "found") for row in read("power")}
    shown = [effect for effect in EFFECTS if effect in (0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4)]
    lines = [[n, *(f"{100 * rates[n, effect].value:.0f}" for effect in shown)] for n in LOOKS]
    return markdown(["by seeds", *(f"{effect:g} sd" for effect in shown)], lines)


def measured_percent(row: dict[str, str], name: str) -> str:
    return f"{100 * float(row[name]):.1f} ± {196 * float(row[f'{name}_error']):.1f}"


def reports_table() -> str:
    header = ["papers", "sharing", "no effect", "false `holds`", "95% of reports below", "false `supported`", "without the gate",
              "true ones found", "mean seeds"]  # fmt: skip
    rates = ("false_holds", "false_supported", "false_without_gate")
    lines = []
    for row in read("reports"):
        if row["truth"] in ("opposite", "realistic"):
            continue
        held, supported, ungated = (measured_percent(row, name) for name in rates)
        often, found = (f"{100 * float(row[name]):.{digits}f}" for name, digits in (("false_holds_95", 1), ("found", 0)))
        named = [row["papers"], row["sharing"], row["truth"]]
        lines.append([*named, held, often, supported, ungated, found, f"{float(row['seeds']):.1f}"])
    return markdown(header, lines)


def expected_table() -> str:
    lines = [[row["seeds"], row["how"], f"{100 * float(row['decided']):.0f}", f"{40 * float(row['papers']):.1f} of 40",
              f"{float(row['taken']):.1f}"] for row in read("expected")]  # fmt: skip
    return markdown(["seeds at most", "bought", "claims decided, %", "papers with a word", "mean seeds"], lines)


def corrections_table() -> str:
    names = ("raw", "looks", "claims", "papers_raw", "papers_looks", "papers_claims", "papers_gate")
    header = ["seeds for all", "claims decided alone, %", "looks paid for", "over all claims", "papers: all hold alone, %",
              "looks paid for", "over all claims", "gate"]  # fmt: skip
    return markdown(header, [[row["seeds"], *(f"{100 * float(row[name]):.1f}" for name in names)] for row in read("corrections")])


def others_table() -> str:
    rows = {row["test"]: percent(rate_of(row, "events", "trials")) for row in read("others")}
    opposite = next(row for row in read("reports") if row["truth"] == "opposite")
    realistic = next(row for row in read("reports") if row["truth"] == "realistic")
    lines = [[test, shown] for test, shown in rows.items()]
    lines.append(
        ["a wrong reason among failing claims, effects exactly at minus the margin", measured_percent(opposite, "wrong_reasons")]
    )
    lines.append(["false `fails`, truth as today", measured_percent(realistic, "false_fails")])
    return markdown(["", "%"], lines)


def twin_words() -> dict[str, tuple[Rate, Rate]]:
    """For each metric of the real trainings: A/A claims said to hold, and given any word, at one look at five seeds."""
    found = {}
    for metric, values in twins(read("trainings")).items():
        effects = twin_effects(values, studies=2000, seed=int(generator("twins", metric).integers(2**31)))
        words = words_alone(statements(effects)[..., -1])
        found[metric] = tuple(Rate(int(hits.sum()), len(words)) for hits in (words == HOLDS, words != OPEN))
    return found


def trainings_table() -> str:
    values = twins(read("trainings"))
    lines = [[metric, f"{values[metric].mean():.3f}", f"{values[metric].std(axis=1, ddof=1).mean():.4f}",
              percent(holds), percent(any_word)] for metric, (holds, any_word) in twin_words().items()]  # fmt: skip
    return markdown(["metric", "mean", "deviation over draws", "falsely `holds`, %", "any word, %"], lines)


def replication_table() -> str:
    columns = ("judge", "decided", "kept", "open", "invalid", "other", "reversed")
    header = ["of the first run", "judge", "decided", "word kept", "now open", "now invalid", "other word", "reversed"]
    return markdown(header, [[row["what"], *(row[column] for column in columns)] for row in read("replication")])


TABLES = {
    "null": null_table,
    "bounds": bounds_table,
    "power": power_table,
    "reports": reports_table,
    "expected": expected_table,
    "corrections": corrections_table,
    "others": others_table,
    "trainings": trainings_table,
    "replication": replication_table,
}


def filled(page: str) -> str:
    """The page with every block between `<!-- judge:NAME -->` and `<!-- end -->` replaced by its table."""
    for name, table in TABLES.items():
        block = re.compile(rf"(<!-- judge:{name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = block.sub(rf"\1\n{table()}\n\n\2", page)
    return page


# Figures


def axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    plot = figure.add_subplot()
    plot.spines[["top", "right"]].set_visible(False)
    return figure, plot


def save(figure: Figure, name: str) -> None:
    style = {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}
    with matplotlib.rc_context(style):
        figure.savefig(DOCS / "img" / f"judge-{name}.svg", metadata={"Date": None})


def draw_power() -> None:
    figure, plot = axes(5.6, 3.2)
    for n, colour, marker in zip(LOOKS, COLOURS, MARKERS, strict=False):
        rows = [row for row in read("power") if int(row["seeds"]) == n]
        effects, found = [float(row["effect"]) for row in rows], [100 * rate_of(row, "found").value for row in rows]
        plot.plot(effects, found, color=colour, marker=marker, markersize=3.5, label=f"by {n} seeds")
    plot.axhline(80, color="0.6", linewidth=0.8, linestyle=":")
    plot.text(0, 82, "80%", color="0.4", fontsize=8)
    plot.set(xlabel="true effect beyond the margin, in standard deviations of the paired difference", ylabel="claims found, %")
    plot.set(xlim=(-0.1, 4.1), ylim=(0, 102))
    plot.legend(frameon=False, loc="lower right")
    save(figure, "power")


def draw_null() -> None:
    """The share of A/A claims that are falsely said to hold, cumulated over looks, and of papers falsely supported."""
    figure, plot = axes(5.6, 3.2)
    for place, noise in enumerate(NOISES):
        for look in range(len(LOOKS)):
            x = place + 0.16 * (look - (len(LOOKS) - 1) / 2)
            point(plot, x - 0.03, by_look("null", noise, "holds")[look], look, filled=True)
            point(plot, x + 0.03, by_look("paper", noise, "supported")[look], look, filled=False)
    plot.axhline(5, color="0.6", linewidth=0.8, linestyle=":")
    plot.text(len(NOISES) - 0.5, 5.05, "nominal 5%", color="0.4", fontsize=8, ha="right")
    for look, n in enumerate(LOOKS):
        plot.plot([], [], color=COLOURS[look], marker=MARKERS[look], markersize=4, linestyle="", label=f"by {n} seeds")
    plot.set_xticks(range(len(NOISES)), list(NOISES))
    plot.set(ylabel="wrong, % (hollow: papers)", ylim=(0, 6.4), xlim=(-0.5, len(NOISES) - 0.5))
    plot.legend(frameon=False, loc="upper left", ncols=4, handletextpad=0.1, columnspacing=1)
    save(figure, "null")


def point(plot: Axes, x: float, rate: Rate, look: int, *, filled: bool) -> None:
    low, high = rate.interval
    plot.plot([x, x], [100 * low, 100 * high], color=COLOURS[look], linewidth=0.9)
    face = COLOURS[look] if filled else "white"
    plot.plot(x, 100 * rate.value, color=COLOURS[look], marker=MARKERS[look], markersize=3.5, markerfacecolor=face)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", action="store_true", help="train the twins again")
    parser.add_argument("--draw", action="store_true", help="only redraw from docs/data")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.trainings:
        train_twins()
    elif not options.draw:
        simulate(options.processes)
    draw_power()
    draw_null()
    page = DOCS / "judge.md"
    page.write_text(filled(page.read_text()))


if __name__ == "__main__":
    main()
