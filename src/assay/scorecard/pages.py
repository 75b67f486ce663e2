"""What comes out: report.html, metrics.csv, metrics.json, card.md and table.tex, from the numbers that the jobs left."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import EvidenceError
from assay.language.metrics import Metric, read_metric
from assay.report.figure import ASSETS
from assay.report.paper import digits, escaped
from assay.report.site import make_environment
from assay.report.words import number
from assay.scorecard.comparing import CKA, MCE, Results, corruption_ratios, differences, leaders, similarities
from assay.scorecard.groups import described
from assay.scorecard.measuring import Measured
from assay.scorecard.request import Request
from assay.scorecard.showing import confused_shown, maps_shown, suspects_shown, wrong_shown
from assay.scorecard.values import LEVEL, Value
from assay.storage.files import read_json, write_atomic

PAGES = ("report.html", "metrics.csv", "metrics.json", "card.md", "table.tex")
COLUMNS = ("model", "group", "metric", "x", "value", "low", "high", "images", "interval", "note")
LIMIT = 100  # rows of one metric in the report; all are in metrics.csv


def write_pages(request: Request, out: Path, failed: Mapping[str, str] | None = None) -> None:
    """Compare what was measured and write everything about it. failed: why jobs failed, by what they were to do."""
    found = read_results(request, out)
    view = View(request, out, found, dict(failed or {}))
    write_atomic(out / "metrics.csv", as_csv(view))
    write_atomic(out / "metrics.json", json.dumps(as_json(view), indent=1))
    write_atomic(out / "card.md", render("card.md", view))
    write_atomic(out / "table.tex", as_latex(view))
    write_atomic(out / "report.html", render("scorecard.html", view))


def read_results(request: Request, out: Path) -> dict[str, dict[str, Measured]]:
    """What is there, by model's name and group."""
    results: dict[str, dict[str, Measured]] = {}
    for key, name in titles(request).items():
        results[name] = {}
        for group in request.counts:
            try:
                results[name][group] = Measured.read(out / "measured" / key / group)
            except EvidenceError:
                continue
    return results


def titles(request: Request) -> dict[str, str]:
    """What models are called on pages, by key: their names, with the key's digest where two have one."""
    names = [model.name for model in request.models]
    return {m.key: m.name if names.count(m.name) == 1 else f"{m.name} {m.key.rpartition('-')[2]}" for m in request.models}


class View:
    """What templates see."""

    level, limit = LEVEL, LIMIT

    def __init__(self, request: Request, out: Path, results: Results, failed: dict[str, str]):
        self.request, self.out, self.results, self.failed = request, out, results, failed
        self.names = list(results)
        self.reference = self.names[0]
        self.differences = differences(results, request.groups)
        self.ratios = corruption_ratios(results, self.reference)
        self.similar = similarities(results)
        self.metrics = described() | {"mce": read_metric("mce", MCE), "cka": read_metric("cka", CKA)}

    def shown(self, name: str, group: str, key: str) -> Value | None:
        measured = self.results[name].get(group)
        return next((value for value in measured.values if value.key == key), None) if measured else None

    def headlines(self) -> list[dict[str, Any]]:
        """Rows of the leaderboard: a metric, each model's value, and those that none is really better than."""
        rows = []
        for group in self.request.groups:
            keys = dict.fromkeys(
                v.key for name in self.names for v in self._values(name, group.name) if v.metric in group.headline
            )
            for key in keys:
                values = {name: self.shown(name, group.name, key) for name in self.names}
                metric = self.metrics[next(v for v in values.values() if v).metric]
                lead = leaders(self.results, group, key, metric.direction.startswith("lower"), self.differences)
                rows.append(_row(group.name, key, metric, values, lead if self._decided(key) else []))
            if group.name == "corruptions" and self.ratios and len(self.names) > 1:
                rows.append(_row("corruptions", "mce", self.metrics["mce"], {n: self.ratios.get(n) for n in self.names}, []))
        return rows

    def _values(self, name: str, group: str) -> tuple[Value, ...]:
        measured = self.results[name].get(group)
        return measured.values if measured else ()

    def _decided(self, key: str) -> bool:
        return any(each.real for each in self.differences if each.key == key)

    def tables(self) -> list[dict[str, Any]]:
        """Each group's numbers, a value for each model: metrics that have one, then those that have several, metric by metric;
        and what does not apply."""
        found = []
        for group in self.request.groups:
            keys = dict.fromkeys(value.key for name in self.names for value in self._values(name, group.name))
            rows = [self._row(group.name, key) for key in keys]
            several = {name: [row for row in rows if row["name"] == name and row["x"] is not None] for name in group.metrics}
            skipped = dict.fromkeys(
                (each.metric, each.reason)
                for name in self.names
                if (m := self.results[name].get(group.name))
                for each in m.skipped
            )
            whole = [row for row in rows if row["x"] is None]
            by = [(name, rows) for name, rows in several.items() if rows]
            found.append({"name": group.name, "rows": whole, "by": by, "skipped": list(skipped)})
        return found

    def _row(self, group: str, key: str) -> dict[str, Any]:
        values = {name: self.shown(name, group, key) for name in self.names}
        return _row(group, key, self.metrics[next(value for value in values.values() if value).metric], values, [])

    def pictures(self) -> list[dict[str, Any]]:
        """What each model gets wrong with most confidence, the labels it doubts, and maps of its reasons."""
        found = []
        for model, name in zip(self.request.models, self.names, strict=True):
            shown = self.out / "images" / model.images
            wrong, doubted = (show(model, self.results[name], shown) for show in (wrong_shown, suspects_shown))
            confused, maps = confused_shown(model, self.results[name], shown), maps_shown(self.results[name], shown)
            found.append({"name": name, "wrong": wrong, "confused": confused, "doubted": doubted, "maps": maps})
        return found

    def data(self) -> dict[str, Any]:
        """What was drawn, by the key of the images."""
        return {key: read_json(self.out / "images" / key / "about.json") for key in self.request.images if self._there(key)}

    def _there(self, key: str) -> bool:
        return (self.out / "images" / key / "about.json").exists()


def _row(group: str, key: str, metric: Metric, values: dict[str, Value | None], lead: list[str]) -> dict[str, Any]:
    first = next(value for value in values.values() if value)
    about = {"group": group, "key": key, "name": first.metric, "metric": metric, "x": first.x}
    return {**about, "values": values, "lead": lead, "bounds": bounds(values)}


def bounds(values: dict[str, Value | None]) -> tuple[float, float]:
    """The range that a row's intervals are drawn in: 0 to 1 for shares, else around all of them."""
    ends = [end for value in values.values() if value for end in (value.value, value.low, value.high) if end is not None]
    return (0.0, 1.0) if 0 <= min(ends) <= max(ends) <= 1 else (min(0.0, *ends), max(ends) or 1.0)


def render(template: str, view: View) -> str:
    """A page from its template, with the report's style sheet inside, so that it needs no other file."""
    environment = make_environment()
    environment.filters["digits"] = number
    style = (ASSETS / "assets" / "report.css").read_text(encoding="utf-8")
    if template.endswith(".md"):
        environment.autoescape = False
    return environment.get_template(template).render(view=view, style=style, request=view.request)


def as_csv(view: View) -> str:
    """A row a number of a model, and a row for what does not apply."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for name, groups in view.results.items():
        for group, measured in groups.items():
            for value in measured.values:
                writer.writerow({"model": name, "group": group, **{k: v for k, v in value.__dict__.items() if k in COLUMNS}})
            for each in measured.skipped:
                writer.writerow({"model": name, "group": group, "metric": each.metric, "note": each.reason})
    return text.getvalue()


def as_json(view: View) -> dict[str, Any]:
    """All numbers, comparisons, and what they rest on."""
    models = {}
    for model, name in zip(view.request.models, view.names, strict=True):
        folders = {group: view.out / "measured" / model.key / group / "values.json" for group in view.results[name]}
        models[name] = {group: read_json(path) for group, path in folders.items()}
    compared = [{**each.__dict__, "real": each.real} for each in view.differences]
    ratios = {name: [value.value, value.low, value.high] for name, value in view.ratios.items()}
    similar = [{"first": a, "second": b, "cka": value} for (a, b), value in view.similar.items()]
    return {
        "data": view.request.data,
        "models": models,
        "reference": view.reference,
        "differences": compared,
        "mce": ratios,
        "similarity": similar,
        "failed": view.failed,
    }


def as_latex(view: View) -> str:
    """The leaderboard as a tabular in booktabs style, intervals in brackets; what no model is really better than is bold."""
    head = " & ".join(["metric", *map(escaped, view.names)])
    rows = []
    for row in view.headlines():
        name = row["metric"].label if row["x"] is None else f"{row['metric'].label}, {row['x']}"
        rows.append(" & ".join([escaped(name), *(_cell(row, model) for model in view.names)]))
    lines = [rf"\begin{{tabular}}{{l{'r' * len(view.names)}}}", r"\toprule", rf"{head} \\", r"\midrule"]
    return "\n".join(["% needs booktabs", *lines, *(rf"{row} \\" for row in rows), r"\bottomrule", r"\end{tabular}", ""])


def _cell(row: dict[str, Any], model: str) -> str:
    value = row["values"][model]
    if value is None:
        return "--"
    shown = digits(value.value)
    bold = rf"\textbf{{{shown}}}" if model in row["lead"] else shown
    return bold if value.low is None else f"{bold} [{digits(value.low)}, {digits(value.high)}]"
