"""Measure the judge: false findings on A/A studies, power on planted effects, and both in figures.

    python bench/calibrate.py               simulate (minutes), then write tables, figures and the numbers in docs/judge.md
    python bench/calibrate.py --trainings   train the twins again first: 8 identical arms x 5 seeds, about 6 core-minutes
    python bench/calibrate.py --draw        only redraw figures and numbers from docs/data

Every simulation is seeded by its own settings, so the numbers repeat exactly.
"""

import argparse
import csv
import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.judging.calibration import (
    NOISES,
    Rate,
    bound_study,
    discoveries,
    misdirected,
    planted_study,
    simulated,
    supported,
    threshold_study,
    twin_records,
    twins,
)

DOCS = Path(__file__).parent.parent / "docs"
SEEDS = (3, 5, 10)
STUDIES = 2000  # per setting: a true rate of 5% is measured to +-1%
REPORTS = 500
STRONG = 6.0  # standard deviations; found nearly always
EFFECTS = [step / 4 for step in range(17)]
TWINS = 8
EPOCHS = 10
COLOURS = {3: "#0072b2", 5: "#d55e00", 10: "#009e73"}  # Okabe and Ito: told apart with any colour vision
MARKERS = {3: "o", 5: "s", 10: "^"}


def seed_of(*setting: object) -> int:
    """A seed for one simulation; not the studies' own, which are set anew when designs change."""
    return int.from_bytes(hashlib.sha256(repr(setting).encode()).digest()[:8], "big")


# Measurements, each a list of rows for docs/data/judge-<name>.csv


def null_settings() -> list[tuple[str, int, int, int]]:
    """(noise, seeds, expectations, expectations without an effect): none has one, or one alone among real effects."""
    return [(noise, n, k, null) for noise in NOISES for n in SEEDS for k in (1, 2, 3, 4) for null in sorted({1, k})]


def measure_null(setting: tuple[str, int, int, int]) -> dict[str, Any]:
    noise, seeds, expectations, null = setting
    effects = [STRONG] * (expectations - null) + [0.0] * null
    seed = seed_of("null", *setting)
    records = simulated(planted_study, noise, studies=STUDIES, seed=seed, seeds=seeds, effects=effects)
    return {
        "noise": noise,
        "seeds": seeds,
        "expectations": expectations,
        "null": null,
        "studies": STUDIES,
        "supported": supported(records).events,
        "misdirected": misdirected(records, effects).events,
    }


def measure_bounds(setting: tuple[str, int]) -> dict[str, Any]:
    noise, seeds = setting

    def rate(make, **more) -> int:
        seed = seed_of(make.__name__, *setting, *more.values())
        return supported(simulated(make, noise, studies=STUDIES, seed=seed, seeds=seeds, **more)).events

    return {
        "noise": noise,
        "seeds": seeds,
        "studies": STUDIES,
        "equivalence": rate(bound_study),
        "above_number": rate(threshold_study, direction=">"),
        "below_number": rate(threshold_study, direction="<"),
    }


def measure_power(setting: tuple[int, float]) -> dict[str, Any]:
    seeds, effect = setting
    seed = seed_of("power", *setting)
    rate = supported(simulated(planted_study, "normal", studies=STUDIES, seed=seed, seeds=seeds, effects=[effect]))
    return {"seeds": seeds, "effect": effect, "studies": rate.trials, "supported": rate.events}


def measure_reports(setting: tuple[str, int, int]) -> dict[str, Any]:
    noise, real, null = setting
    found = discoveries(noise, seeds=5, real=real, null=null, effect=3.0, reports=REPORTS, seed=seed_of("reports", *setting))
    return {"noise": noise, "real": real, "null": null, "reports": REPORTS, "false_share": found.false_share,
            "standard_error": found.standard_error, "power": found.power}  # fmt: skip


def simulate() -> None:
    per_noise = [(noise, n) for noise in NOISES for n in SEEDS]
    powers = [(n, effect) for n in SEEDS for effect in EFFECTS]
    reports = [(noise, real, 18 - real) for noise in NOISES for real in (0, 9)]
    with ProcessPoolExecutor() as pool:
        write("null", pool.map(measure_null, null_settings()))
        write("bounds", pool.map(measure_bounds, per_noise))
        write("power", pool.map(measure_power, powers))
        write("reports", pool.map(measure_reports, reports))


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


def rate_of(row: dict[str, str], event: str) -> Rate:
    return Rate(int(row[event]), int(row["studies"]))


def percent(rate: Rate) -> str:
    low, high = rate.interval
    return f"{100 * rate.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def markdown(header: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def twin_rates() -> dict[str, tuple[Rate, Rate]]:
    """For each metric of the real trainings: studies `supported`, and studies given a direction."""
    found = {}
    for metric, values in twins(read("trainings")).items():
        records = twin_records(values, studies=STUDIES, seed=seed_of("twins", metric))
        found[metric] = (supported(records), misdirected(records, [0.0]))
    return found


def pooled(rows: list[dict[str, str]], event: str) -> Rate:
    return Rate(sum(int(row[event]) for row in rows), sum(int(row["studies"]) for row in rows))


def null_table() -> str:
    lines = []
    for noise in NOISES:
        for n in SEEDS:
            rows = [row for row in read("null") if row["noise"] == noise and row["seeds"] == str(n)]
            alone = [row for row in rows if row["null"] == "1"]
            worst = max((rate_of(row, "misdirected") for row in rows), key=lambda rate: rate.value)
            lines.append([noise, n, percent(pooled(alone, "supported")), percent(worst)])
    return markdown(["noise", "seeds", "study falsely `supported`, %", "any direction, worst setting, %"], lines)


def bounds_table() -> str:
    events = ("equivalence", "above_number", "below_number")
    header = ["noise", "seeds", "`-w < a - b < w`, truth w", "`a > c`, truth c", "`a < c`, truth c"]
    lines = [[row["noise"], row["seeds"], *(percent(rate_of(row, event)) for event in events)] for row in read("bounds")]
    return markdown(header, lines)


def power_table() -> str:
    rates = {(int(row["seeds"]), float(row["effect"])): rate_of(row, "supported") for row in read("power")}
    shown = [effect for effect in EFFECTS if effect in (0.5, 1, 1.5, 2, 2.5, 3, 4)]
    lines = [[n, *(f"{100 * rates[n, effect].value:.0f}" for effect in shown)] for n in SEEDS]
    return markdown(["seeds", *(f"{effect:g} sd" for effect in shown)], lines)


def reports_table() -> str:
    lines = [[row["noise"], row["real"], row["null"],
              f"{100 * float(row['false_share']):.1f} ± {196 * float(row['standard_error']):.1f}",
              f"{100 * float(row['power']):.0f}" if row["real"] != "0" else "-"] for row in read("reports")]  # fmt: skip
    return markdown(["noise", "studies with an effect of 3 sd", "A/A studies", "false share, %", "power, %"], lines)


def trainings_table() -> str:
    values = twins(read("trainings"))
    lines = [[metric, f"{values[metric].mean():.3f}", f"{values[metric].std(axis=1, ddof=1).mean():.4f}",
              percent(yes), percent(any_way)] for metric, (yes, any_way) in twin_rates().items()]  # fmt: skip
    header = ["metric", "mean", "deviation over draws", "falsely `supported`, %", "any direction, %"]
    return markdown(header, lines)


TABLES = {
    "null": null_table,
    "bounds": bounds_table,
    "power": power_table,
    "reports": reports_table,
    "trainings": trainings_table,
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
    for n in SEEDS:
        rows = [row for row in read("power") if int(row["seeds"]) == n]
        effects = [float(row["effect"]) for row in rows]
        found = [100 * rate_of(row, "supported").value for row in rows]
        plot.plot(effects, found, color=COLOURS[n], marker=MARKERS[n], markersize=3.5, label=f"{n} seeds")
    plot.axhline(80, color="0.6", linewidth=0.8, linestyle=":")
    plot.text(0, 82, "80%", color="0.4", fontsize=8)
    plot.set(xlabel="true effect, in standard deviations of the paired difference", ylabel="studies supported, %")
    plot.set(xlim=(-0.1, 4.1), ylim=(0, 102))
    plot.legend(frameon=False, loc="lower right")
    save(figure, "power")


def draw_null() -> None:
    """One point for each setting: the share of studies falsely supported when all else they claim is true."""
    figure, plot = axes(5.6, 3.2)
    groups = [*NOISES, "real\ntrainings"]
    for place, noise in enumerate(NOISES):
        rows = [row for row in read("null") if row["noise"] == noise and row["null"] == "1"]
        for index, row in enumerate(rows):
            point(plot, place + 0.065 * (index - (len(rows) - 1) / 2), rate_of(row, "supported"), int(row["seeds"]))
    for index, (rate, _) in enumerate(twin_rates().values()):
        point(plot, len(NOISES) + 0.13 * (index - 0.5), rate, 5)
    for level in (2.5, 5):
        plot.axhline(level, color="0.6", linewidth=0.8, linestyle=":")
    plot.text(len(groups) - 0.5, 5.08, "nominal 5%", color="0.4", fontsize=8, ha="right")
    for n in SEEDS:
        plot.plot([], [], color=COLOURS[n], marker=MARKERS[n], markersize=4, linestyle="", label=f"{n} seeds")
    plot.set_xticks(range(len(groups)), groups)
    plot.set(ylabel="falsely supported, %", ylim=(0, 6.4), xlim=(-0.5, len(groups) - 0.5))
    plot.legend(frameon=False, loc="upper left", ncols=3, handletextpad=0.1)
    save(figure, "null")


def point(plot: Axes, x: float, rate: Rate, seeds: int) -> None:
    low, high = rate.interval
    plot.plot([x, x], [100 * low, 100 * high], color=COLOURS[seeds], linewidth=0.9)
    plot.plot(x, 100 * rate.value, color=COLOURS[seeds], marker=MARKERS[seeds], markersize=3.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", action="store_true", help="train the twins again")
    parser.add_argument("--draw", action="store_true", help="only redraw from docs/data")
    options = parser.parse_args()
    if options.trainings:
        train_twins()
    elif not options.draw:
        simulate()
    draw_power()
    draw_null()
    page = DOCS / "judge.md"
    page.write_text(filled(page.read_text()))


if __name__ == "__main__":
    main()
