"""The report as a folder that opens from disk: index.html, a page for each study, figures and tables beside them."""

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from jinja2 import BytecodeCache, Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from assay.errors import EvidenceError, StudyError
from assay.evidence.summary import curves, plain, summarise
from assay.judging.answers import answer
from assay.judging.tabulating import tabulate
from assay.language import kept
from assay.language.catalogue import Catalogue, Paper
from assay.language.published import PublishedNumber
from assay.language.references import UNKNOWN, Reference, looked_up, source_address
from assay.language.references import load as load_references
from assay.pipeline.rechecking import read_rechecks, summary
from assay.pipeline.sources import Sources
from assay.report import citing, plots, words
from assay.report.across import across_part, network_users, shared_with
from assay.report.atlas import Entry, atlas
from assay.report.benchmarks import benchmark_parts, read_bars
from assay.report.difficulty import read_difficulties
from assay.report.download import parquet
from assay.report.effects import effects_part
from assay.report.elsewhere import of_study, twice
from assay.report.figure import ASSETS, caption, describe_figure
from assay.report.glossary import glossary_part, term
from assay.report.judge import judge_part
from assay.report.lesson import lesson_parts
from assay.report.losses import FEW, describe_losses, distinct, losses_figure
from assay.report.methods import MethodView, address, method_parts, prose
from assay.report.page import Page, StoredPage, StudyView, read_verdicts
from assay.report.panels import Group, groups
from assay.report.paper import as_csv, as_latex, findings, means
from assay.report.parts import Part, machinery, write_parts
from assay.report.pictures import pictures
from assay.report.worlds import WorldView, read_world

ROWS_SHOWN = 300
WORLDS_SHOWN = 3
PICTURES_SHOWN = 12


def build(
    sources: Sources,
    out: Path,
    studies: Sequence[StudyView],
    catalogue: Catalogue,
    methods: Sequence[MethodView] = (),
    verdicts_name: str = "verdicts.json",
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Write the report of one scale to a folder, index.html and all, and return the names of the parts that had to be written.

    sources: where the evidence of each study lies. left_out: studies that the scale leaves out -> why. A study whose evidence is
    missing, altered or failed gets a page that says so. What is made from the same evidence, templates and code as what is there
    is left untouched; pages of studies that are gone are removed.
    """
    results = sources.results
    verdicts = read_verdicts(results, verdicts_name)
    references = {key: found for key, found in load_references().items() if key in catalogue}
    entries = [
        replace(read_entry(sources, study, catalogue, verdicts), reference=references.get(study.paper, UNKNOWN))
        for study in sorted(studies, key=lambda s: (s.family, s.name))
    ]
    worlds = read_worlds(sources, [entry.study for entry in entries if entry.page])
    drawn = {name: world for name, world in worlds.items() if isinstance(world, WorldView)}
    methods = sorted(methods, key=lambda method: (method.kind, method.name))
    templates = make_environment()
    common = {"scale": results.name, "alpha": verdicts.get("alpha", 0.05), "total": len(catalogue)}
    templates.globals.update(common)
    bars = read_bars()
    lesson = lesson_parts(templates, entries)
    parts = [
        Part("assets", {f"assets/{path.name}": path.read_bytes() for path in sorted((ASSETS / "assets").iterdir())}, dict),
        *study_parts(sources, templates, entries, worlds, {method.plug for method in methods}),
        *method_parts(templates, methods, entries, catalogue, drawn, read_difficulties()),
        across_part(templates, entries),
        effects_part(templates, entries),
        glossary_part(templates),
        *lesson,
        judge_part(templates, entries),
        *benchmark_parts(templates, bars),
        *(Part(f"worlds/{name}", {"world": world}, world_files) for name, world in drawn.items()),
        Part(
            "index",
            {
                "entries": entries,
                "papers": dict(catalogue),
                "references": references,
                "rechecks": summary(read_rechecks(sources)),
                "benchmarks": bars is not None,
                "lesson": bool(lesson),
                "since": verdicts.get("since"),
                "left_out": dict(left_out),
            },
            partial(index_files, templates),
        ),
    ]
    return write_parts(Path(out), parts, f"{machinery('assay.report.site', ASSETS)} {common}")


def make_environment() -> Environment:
    """Templates with escaping on and undefined names refused."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled_templates(),
    )
    helpers = (
        words.number,
        words.signed,
        words.exact,
        words.probability,
        words.reason,
        words.interval,
        words.seconds,
        words.setting,
        words.block,
        words.label,
        words.safe_url,
        plots.anchor,
        looked_up,
        source_address,
        prose,
    )
    environment.filters.update({helper.__name__: helper for helper in helpers})
    environment.filters["method_page"] = address
    environment.globals.update(plural=words.plural, term=term)
    return environment


def _compiled_templates() -> BytecodeCache | None:
    """Where templates are kept compiled, which takes as long as writing a study's page; None where nothing can be kept."""
    folder = os.path.join(kept.FOLDER, "templates")
    with contextlib.suppress(OSError):
        if kept.keeps():
            os.makedirs(folder, exist_ok=True)
    return FileSystemBytecodeCache(folder) if os.access(folder, os.W_OK) else None


def read_entry(sources: Sources, study: StudyView, catalogue: Catalogue, verdicts: dict[str, Any]) -> Entry:
    """A study with its evidence. Evidence that cannot be trusted is a failure of this study, not of the report."""
    if "/" in study.name or study.name.startswith("."):
        raise StudyError(f"study name '{study.name}' cannot be a file name; use lower-case letters, digits, _ and -")
    paper, scale = catalogue[study.paper], sources.results.name
    failure = verdicts["failed"].get(study.name)
    if (failure and not failure.get("arms")) or not sources.places.get(study.name):
        return Entry(study, paper, None, failure, scale)
    verdict = verdicts["studies"].get(study.name) or verdicts.get("partial", {}).get(study.name)
    try:
        page = StoredPage(sources, study, paper, verdict)
    except EvidenceError as error:
        return Entry(study, paper, None, {"stage": "report", "error": str(error)}, scale)
    return Entry(study, paper, page, failure, scale)


def read_worlds(sources: Sources, studies: Sequence[StudyView]) -> dict[str, WorldView | str]:
    """The worlds of all studies by name, each read once; the error's text instead of one that cannot be shown."""
    worlds: dict[str, WorldView | str] = {}
    for name in sorted({name for study in studies for name in study.worlds}):
        try:
            worlds[name] = read_world(sources.card(name))
        except EvidenceError as error:
            worlds[name] = str(error)
    return worlds


# Study pages


def study_parts(
    sources: Sources, templates: Environment, entries: Sequence[Entry], worlds: Mapping[str, WorldView | str], known: set[str]
) -> Iterator[Part]:
    """One part a study: its page, its observations and its figure."""
    users = network_users(entries)
    for family in group_by_family(entries):
        names = [None, *(entry.study.name for entry in family), None]
        for previous, entry, following in zip(names[:-2], family, names[2:], strict=True):
            name = entry.study.name
            inputs = {
                "entry": entry,
                "figure": read_if_there(sources.drawing(name)) if entry.page else None,
                "reading": caption(entry.page) if entry.page else "",
                "worlds": {world: worlds[world] for world in entry.study.worlds if entry.page},
                "shared": shared_with(entry, users),
                "described": sorted(known.intersection(plugs_of(entry.study))),
                "previous": previous,
                "following": following,
            }
            yield Part(f"studies/{name}", inputs, partial(study_files, templates))


def group_by_family(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries, which are sorted by family, in one list a family."""
    return [list(members) for _, members in groupby(entries, key=lambda entry: entry.study.family)]


def plugs_of(study: StudyView) -> set[str]:
    """Every plug that the study's page names."""
    return {*study.plugs, *(part.plug for part in study.introduces)}


def read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def study_files(
    templates: Environment,
    entry: Entry,
    figure: bytes | None,
    reading: str,
    worlds: Mapping[str, WorldView | str],
    shared: Mapping[str, Sequence[str]],
    described: Sequence[str],
    previous: str | None,
    following: str | None,
) -> dict[str, str | bytes]:
    """The files of one study by path in the report.

    shared: its networks that other studies rest on -> those studies. described: the plugs that have a page.
    """
    name = entry.study.name
    around = {"previous": previous, "following": following, "described": described, "shared": shared}
    context = {"entry": entry, "study": entry.study, "paper": entry.paper, "reference": entry.reference, **around}
    if not entry.page:
        return {f"studies/{name}.html": templates.get_template("unfinished.html").render(context)}
    files: dict[str, str | bytes] = {
        f"studies/{name}.csv": entry.page.csv,
        f"studies/{name}.parquet": parquet(entry.page.observations),
    }
    files |= {f"tables/{file}": text for file, text in tables(entry.page).items()}
    context |= study_context(entry.page, entry.reference, entry.scale) | {
        "elsewhere": of_study(entry),
        "worlds": worlds,
        "worlds_shown": WORLDS_SHOWN,
        "pictures_shown": PICTURES_SHOWN,
        "figure": None,
        "losses": None,
    }
    if figure is not None:
        files[f"figures/{name}.svg"] = figure
        context["figure"] = {"path": f"../figures/{name}.svg", "alt": describe_figure(entry.page), "caption": reading}
    if entry.page.losses:
        path = f"figures/{name}.losses.svg"  # no study has a dot in its name
        files[path] = losses_figure(entry.page)
        context["losses"] = {"path": f"../{path}", "alt": describe_losses(entry.page), "many": len(distinct(entry.page)) > FEW}
    context["pictures"] = [(f"../figures/{name}.{k}.png", picture) for k, picture in enumerate(pictures(entry.page))]
    files |= {path.removeprefix("../"): picture.png for path, picture in context["pictures"]}
    files[f"studies/{name}.html"] = templates.get_template("study.html").render(context)
    return files


def tables(page: Page) -> dict[str, str]:
    """What papers print of a study, as CSV and LaTeX by names of files: means with intervals, and the claims if it is judged."""
    found = {"means": means(page)} | ({"claims": findings(page.verdict)} if page.verdict.get("word") else {})
    texts = {"csv": as_csv, "tex": as_latex}
    return {f"{page.study.name}-{what}.{end}": text(table) for what, table in found.items() for end, text in texts.items()}


def world_files(world: WorldView) -> dict[str, bytes]:
    """The world's strip of samples."""
    return {f"worlds/{world.name}.png": world.picture}


def index_files(
    templates: Environment,
    entries: list[Entry],
    papers: Mapping[str, Paper],
    references: Mapping[str, Reference],
    rechecks: Sequence[str],
    benchmarks: bool,
    lesson: bool,
    since: Mapping[str, Any] | None,
    left_out: Mapping[str, str],
) -> dict[str, str]:
    """The atlas. rechecks: what came out of computing archived studies again, in lines. benchmarks, lesson: whether they have a
    page. since: the last release and the words that changed against it. left_out: studies that the scale leaves out, and why."""
    beside = {"rechecks": rechecks, "benchmarks": benchmarks, "lesson": lesson, "since": since}
    beside |= {"left_out": left_out, "twice": twice(entries)}
    return {"index.html": templates.get_template("index.html").render(atlas(entries, papers, references), **beside)}


def study_context(page: Page, reference: Reference, scale: str) -> dict[str, Any]:
    """What study.html shows beyond the study itself."""
    return {
        "verdict": page.verdict or None,
        "answer": answer(page.verdict, page.study.metrics) if page.verdict.get("word") else "",
        "claims": charts(page, "expectations"),
        "cite": citing.entries(page, reference, scale),
        "secondary": charts(page, "secondary"),
        "headline": words.headline(page.verdict) if page.verdict.get("word") else "Measured, not judged yet.",
        "provenance": page.provenance,
        "diffs": recipe_diffs(page.study),
        "means": means_table(page),
        "points": points_table(page.observations),
        "regenerated": regenerated(page),
        "rows": len(page.observations),
        "rows_shown": ROWS_SHOWN,
    }


def charts(page: Page, tier: str) -> list[Group]:
    """The claim charts of a study, of its claims or of what stands beside them."""
    claims = page.verdict.get(tier, [])
    return groups(claims, page.study.metrics, page.study.published, muted=page.verdict.get("word") == "invalid")


def regenerated(page: Page) -> list[tuple[PublishedNumber, float | None]]:
    """The paper's numbers that were obtained with the world and model measured here, each with the mean measured."""
    rows = page.observations.astype(object).where(page.observations.notna(), None).to_dict("records")
    same = [published for published in page.study.published if published.reproduced]
    tables = tabulate(rows) if same else {}
    return [(published.number, published.measured(tables)) for published in same]


def recipe_diffs(study: StudyView) -> dict[str, list[tuple[str, str]]]:
    """Each arm's recipe against the baseline's, field by field: arm -> (mark, line of YAML), mark one of " -+@"."""
    base = study.recipes.get(study.baseline, {})
    return {
        arm: [change for key in dict.fromkeys((*base, *own)) for change in changes(key, base, own)]
        for arm, own in study.recipes.items()
        if arm != study.baseline
    }


def changes(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How one field of a recipe changes: a unified diff without its header, empty if it does not."""
    before, after = (words.block({key: side[key]}).splitlines() if key in side else [] for side in (old, new))
    return [(line[0], line[1:]) for line in list(difflib.unified_diff(before, after, n=2, lineterm=""))[3:]]


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
