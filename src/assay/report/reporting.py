"""From compiled studies and stored evidence to the report: the views the pages are made of."""

import ast
import gc
import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from assay.artifacts.archiving import read_archived
from assay.artifacts.entries import blocks_of, read_entries
from assay.errors import AssayError, StudyError
from assay.evidence.agreement import Agreement, compare, not_compared
from assay.evidence.cards import card_name
from assay.evidence.freshness import STALE, UNPROVEN
from assay.evidence.tables import joined, read_blocks
from assay.language.catalogue import load as load_catalogue
from assay.language.plugs import PlugInfo, describe, everything
from assay.language.recipes import parents_in
from assay.language.study import Study
from assay.overview.coverage import introductions, other_scales, row_at, vouches
from assay.pipeline.rechecking import read_rechecks
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import closure
from assay.report import MethodView, Page, StudyView, build, figure, read_page, read_verdicts
from assay.report.paper import paper_files
from assay.report.worlds import written
from assay.storage.files import sha256, write_atomic
from assay.storage.places import WORK, project_of

KEY = re.compile(r"\bP\d{3,}\b")


def study_view(study: Study) -> StudyView:
    """What figures and pages show of a study, by its file alone."""
    file = study.file
    return StudyView(
        name=study.name,
        family=study.family,
        paper=file.paper,
        question=file.question,
        arms={arm: settings or {} for arm, settings in file.arms.items()},
        protocol=study.protocol,
        recipes=_recipes(study),
        metrics=study.metrics,
        margin=file.margin,
        notes=file.notes,
        baseline=study.baseline,
        expect=tuple(file.expect),
        controls=tuple(file.controls),
        yaml=study.text,
        figure=study.figure,
        worlds=_worlds(study),
        plugs=tuple(sorted(study.plugs)),
        published=study.published,
    )


def checked_view(study: Study, sources: Sources, root: Path = WORK) -> StudyView:
    """The study with how its row stands: what its paper brings, which tests vouch for that, how fresh the evidence is."""
    here = not sources.from_archive(study.name)
    state = sources.freshness(study.name) if sources.places.get(study.name) else None
    return replace(
        study_view(study),
        introduces=tuple(introductions(study, project_of(root) / "tests")),
        stale=None if state is None else state.reasons if state.word == STALE else (),
        unproven=state.reasons if state and state.word == UNPROVEN else (),
        lacking=sources.lacking.get(study.name, ()),
        missing=tuple(row_at(study, root, sources).missing),
        evidence="recomputed" if here else "archived",
        other_scales=tuple(other_scales(study, root)),
        agreement=_agreement(study, sources, root),
        release=_release(study, root),
        recheck=next((each.told for each in read_rechecks(sources) if each.study == study.name), ""),
    )


def method_views(studies: list[Study], root: Path = WORK) -> list[MethodView]:
    """Every plug with what its source says of it, the tests that vouch for it, and the studies made with it."""
    used = {study.name: _modules(study) for study in studies}
    return [_method(info, used, project_of(root) / "tests") for info in everything()]


def _method(info: PlugInfo, used: dict[str, set[str]], tests: Path) -> MethodView:
    """A plug as its page shows it; of one that cannot be read, why, as a run may do without it."""
    file = f"src/{info.module.replace('.', '/')}.py"
    try:
        return MethodView(
            kind=info.kind,
            name=info.name,
            file=file,
            doc=info.doc,
            details=ast.get_docstring(info.definition) or "",
            parameters=tuple((p.name, p.text, "" if p.required else json.dumps(p.default)) for p in info.parameters.values()),
            metrics=info.constants.get("METRICS", {}),
            papers=tuple(dict.fromkeys(KEY.findall(info.doc))),
            vouches=tuple(vouch for vouch in vouches(tests) if vouch.plug == f"{info.kind}/{info.name}"),
            studies=tuple(name for name, modules in used.items() if info.module in modules),
        )
    except StudyError as error:
        return MethodView(info.kind, info.name, file, doc=f"Cannot be read: {error}")


def _recipes(study: Study) -> dict[str, dict[str, Any]]:
    """How each arm's network comes to be and is measured, at the first value of a sweep, without empty fields."""
    found: dict[str, dict[str, Any]] = {}
    for cell in study.cells:
        recipe = cell.recipe.data | {"draws": {axis: draw for axis, draw in cell.recipe.data["draws"].items() if draw}}
        fields = {**recipe, "protocol": cell.protocol, "sweep": study.file.sweep}
        found.setdefault(cell.arm, {field: written(value) for field, value in fields.items() if value})
    return found


def _modules(study: Study) -> set[str]:
    """The modules that this study's evidence and figure are made with, beyond those of every study."""
    plugs = study.plugs | {f"figures/{name}" for name in study.figure}
    return set().union(*(closure(describe(*plug.split("/")).module) for plug in plugs))


def _release(study: Study, root: Path) -> str:
    """The day and commit of the study's entry in the archive; empty if it has none."""
    entries = [entry for each in blocks_of(read_entries(root).values(), study.scale, study.name).values() for entry in each]
    return f"{entries[0].date}, commit {entries[0].commit[:7]}" if entries else ""


def _agreement(study: Study, sources: Sources, root: Path) -> Agreement | None:
    """How well what was computed here agrees with the archived; None where one of the two is missing."""
    entries = next(iter(blocks_of(read_entries(root).values(), study.scale, study.name).values()), [])
    blocks = [entry.block for entry in entries if (sources.folder(study.name, entry.block) / "provenance.json").exists()]
    if not blocks or sources.results.name != study.scale:
        return None
    try:
        recomputed = read_blocks([sources.folder(study.name, block) for block in blocks])
        archived = joined([read_archived(entry, root) for entry in entries if entry.block in blocks])
        return compare(recomputed, archived)
    except AssayError as error:
        return not_compared(str(error))


def _worlds(study: Study) -> dict[str, tuple[str, ...]]:
    """The worlds that have a card, each with the arms that see it."""
    arms: dict[str, dict[str, None]] = {}
    for cell in study.cells:
        if not parents_in(cell.recipe.data["world"]):
            arms.setdefault(card_name(cell.recipe.data["world"]), {})[cell.arm] = None
    return {name: tuple(seen_by) for name, seen_by in arms.items()}


def study_page(study: Study, sources: Sources) -> Page:
    """A study's page without its verdict, which is what figures are drawn from."""
    return read_page(sources, study_view(study), load_catalogue()[study.file.paper])


def draw_figure(study: Study, sources: Sources) -> bytes:
    """The study's figure as SVG."""
    return figure(study_page(study, sources))


def write_figure(study: Study, sources: Sources) -> None:
    """Draw a study's figure to results/<scale>/figures/."""
    write_atomic(sources.results / f"figures/{study.name}.svg", draw_figure(study, sources))


def write_paper(study: Study, sources: Sources) -> None:
    """Write the figures and tables for papers of a judged study to results/<scale>/paper/."""
    verdict = read_verdicts(sources.results)["studies"].get(study.name, {})
    for end, content in paper_files(replace(study_page(study, sources), verdict=verdict)).items():
        write_atomic(sources.results / f"paper/{study.name}{end}", content)


def for_each(write: Callable[[Study, Sources], None], studies: Iterable[Study], results: Path, processes: int) -> None:
    """Write something of each study, in several processes where there are several studies; the first error is raised."""
    studies, sources = list(studies), Sources.read(results)
    if len(studies) == 1:
        write(studies[0], sources)
        return
    # Looking for garbage would take a seventh of the time.
    with ProcessPoolExecutor(processes, get_context("fork"), initializer=gc.disable) as pool:
        list(pool.map(partial(write, sources=sources), studies))


def write_report(studies: list[Study], sources: Sources, verdicts: str = "verdicts.json") -> list[str]:
    """Bring results/<scale>/report/ up to date, and return the names of the parts that had to be written.

    The manifest of a complete report goes until it is known to be one.
    """
    out = sources.results / "report"
    (out / "manifest.json").unlink(missing_ok=True)
    views = [checked_view(study, sources) for study in studies]
    return build(sources, out, views, load_catalogue(), method_views(studies), verdicts)


def write_manifest(path: Path) -> None:
    """List every file of a complete report with its sha256."""
    files = sorted(file for file in path.parent.rglob("*") if file.is_file() and file != path)
    sums = {str(file.relative_to(path.parent)): sha256(file) for file in files}
    write_atomic(path, json.dumps(sums, indent=1))
