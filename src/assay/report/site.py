"""The report as a folder that opens from disk: index.html, a page for each study, figures and tables beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from assay.catalogue import Catalogue
from assay.errors import EvidenceError, StudyError
from assay.files import write_atomic
from assay.report import plots, words
from assay.report.atlas import Entry, atlas
from assay.report.figure import ASSETS, caption, describe_figure
from assay.report.page import Page, StudyView, read_page, read_verdicts
from assay.report.worlds import WorldView, read_world
from assay.summary import curves, plain, summarise

ROWS_SHOWN = 300
WORLDS_SHOWN = 3


def build(
    results: Path, out: Path, studies: Sequence[StudyView], catalogue: Catalogue, verdicts_name: str = "verdicts.json"
) -> Path:
    """Write the report of one scale and return its index.

    results: results/<scale>, read as the pipeline leaves it. A study whose evidence is missing, altered or failed gets a
    page that says so. Pages of studies that are gone are removed; a file whose content did not change is left untouched.
    """
    results, out = Path(results), Path(out)
    verdicts = read_verdicts(results, verdicts_name)
    entries = [read_entry(results, study, catalogue, verdicts) for study in sorted(studies, key=lambda s: (s.family, s.name))]
    environment = make_environment()
    common = {"scale": results.name, "alpha": verdicts.get("alpha", 0.05), "total": len(catalogue)}
    worlds = read_worlds(results, [entry.study for entry in entries if entry.page])
    files = {f"assets/{path.name}": path.read_bytes() for path in sorted((ASSETS / "assets").iterdir())}
    for number, entry in enumerate(entries):
        around = {"previous": entries[number - 1] if number else None, "next": (entries[number + 1 :] or [None])[0]}
        files |= study_files(results, environment, entry, common | around | {"worlds": worlds, "worlds_shown": WORLDS_SHOWN})
    files |= {f"worlds/{name}.png": world.picture for name, world in worlds.items() if isinstance(world, WorldView)}
    files["index.html"] = environment.get_template("index.html").render(atlas(entries, catalogue) | common)
    for name, content in files.items():
        write_changed(out / name, content)
    remove_others(out, set(files))
    return out / "index.html"


def make_environment() -> Environment:
    """Templates with escaping on and undefined names refused."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = (
        words.number,
        words.signed,
        words.exact,
        words.probability,
        words.interval,
        words.seconds,
        words.setting,
        words.label,
        words.safe_url,
    )
    environment.filters.update({helper.__name__: helper for helper in helpers})
    environment.globals.update(plural=words.plural, strip=plots.strip)
    return environment


def read_entry(results: Path, study: StudyView, catalogue: Catalogue, verdicts: dict[str, Any]) -> Entry:
    """A study with its evidence. Evidence that cannot be trusted is a failure of this study, not of the report."""
    if "/" in study.name or study.name.startswith("."):
        raise StudyError(f"study name '{study.name}' cannot be a file name; use lower-case letters, digits, _ and -")
    paper = catalogue[study.paper]
    failure = verdicts["failed"].get(study.name)
    if failure or not (results / "observations" / study.name).exists():
        return Entry(study, paper, None, failure, results.name)
    try:
        page = read_page(results, study, paper, verdicts["studies"].get(study.name))
    except EvidenceError as error:
        return Entry(study, paper, None, {"stage": "report", "error": str(error)}, results.name)
    return Entry(study, paper, page, None, results.name)


def read_worlds(results: Path, studies: Sequence[StudyView]) -> dict[str, WorldView | str]:
    """The worlds of all studies by name, each read once; the error's text instead of one that cannot be shown."""
    worlds: dict[str, WorldView | str] = {}
    for name in sorted({name for study in studies for name in study.worlds}):
        try:
            worlds[name] = read_world(results, name)
        except EvidenceError as error:
            worlds[name] = str(error)
    return worlds


# Study pages


def study_files(results: Path, environment: Environment, entry: Entry, context: dict[str, Any]) -> dict[str, str | bytes]:
    """The files of one study by path in the report: page, observations and figure."""
    name = entry.study.name
    files: dict[str, str | bytes] = {}
    drawn = results / "figures" / f"{name}.svg"
    context = {**context, "entry": entry, "study": entry.study, "paper": entry.paper, "figure": None}
    if entry.page:
        files[f"studies/{name}.csv"] = (results / "observations" / name / "observations.csv").read_bytes()
        if drawn.exists():
            files[f"figures/{name}.svg"] = drawn.read_bytes()
            context["figure"] = {
                "path": f"../figures/{name}.svg",
                "alt": describe_figure(entry.page),
                "caption": caption(entry.page),
            }
        context |= study_context(entry.page)
    template = "study.html" if entry.page else "unfinished.html"
    files[f"studies/{name}.html"] = environment.get_template(template).render(context)
    return files


def study_context(page: Page) -> dict[str, Any]:
    """What study.html shows beyond the study itself."""
    own = differing(page.study.arms)
    return {
        "verdict": page.verdict or None,
        "headline": words.headline(page.verdict) if page.verdict else "Measured, not judged yet.",
        "provenance": page.provenance,
        "settings": own,
        "means": means_table(page),
        "points": points_table(page.observations),
        "rows": len(page.observations),
        "rows_shown": ROWS_SHOWN,
    }


def differing(arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The settings in which arms differ, in order of first mention; one the arm does not set differs from any value."""
    keys = dict.fromkeys(key for settings in arms.values() for key in settings)
    return [key for key in keys if len({words.setting(s[key]) if key in s else "" for s in arms.values()}) > 1]


def means_table(page: Page) -> dict[str, Any]:
    """Arms by metrics: mean and interval over seeds of every metric without a coordinate."""
    table = summarise(plain(page.observations))
    cells = {(row.arm, row.metric): row for row in table.itertuples()}
    arms = sorted(
        dict.fromkeys(table["arm"]), key=lambda arm: list(page.study.arms).index(arm) if arm in page.study.arms else 1e9
    )
    return {
        "arms": arms,
        "metrics": list(dict.fromkeys(table["metric"])),
        "cells": cells,
        "curves": list(dict.fromkeys(curves(page.observations)["metric"])),
    }


def points_table(observations: pd.DataFrame) -> dict[str, Any]:
    """Every observation, seeds side by side: rows (arm, metric, x, {seed: value})."""
    rows: dict[tuple, dict[int, float]] = {}
    for row in observations.itertuples():
        key = (row.arm, row.metric, "" if pd.isna(row.x) else row.x)
        rows.setdefault(key, {})[row.seed] = row.value
    return {"seeds": sorted(set(observations["seed"])), "rows": [(*key, values) for key, values in rows.items()]}


# Files


def write_changed(path: Path, content: str | bytes) -> None:
    """Write a file unless it has this content already."""
    content = content.encode() if isinstance(content, str) else content
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)


def remove_others(out: Path, names: set[str]) -> None:
    """Remove files of an earlier report from the folders that the report owns."""
    for folder in ("assets", "figures", "studies", "worlds"):
        for path in (out / folder).glob("*"):
            if f"{folder}/{path.name}" not in names:
                path.unlink()
