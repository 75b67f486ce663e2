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

from assay.artifacts import archiving
from assay.errors import ArtifactError, AssayError, EvidenceError
from assay.evidence.agreement import Agreement, compare, not_compared
from assay.evidence.cards import card_name
from assay.evidence.tables import read_evidence, staleness
from assay.language.catalogue import load as load_catalogue
from assay.language.plugs import describe, everything
from assay.language.recipes import parents_in
from assay.language.study import Study
from assay.overview.coverage import introductions, other_scales, row_at, vouches
from assay.provenance.fingerprints import closure
from assay.report import MethodView, Page, StudyView, build, figure, read_page, read_verdicts
from assay.report.paper import paper_files
from assay.report.worlds import written
from assay.storage.files import read_json, sha256, write_atomic
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


def checked_view(study: Study, results: Path) -> StudyView:
    """The study with how its row stands: what its paper brings, which tests vouch for that, whether the evidence is fresh."""
    root, evidence = _where(results)
    return replace(
        study_view(study),
        introduces=tuple(introductions(study, project_of(root) / "tests")),
        stale=_stale(study, results),
        missing=tuple(row_at(study, root, results).missing),
        evidence=evidence,
        other_scales=tuple(other_scales(study, root)),
        agreement=_agreement(study, results, root) if evidence == "recomputed" else None,
        release=_release(root),
    )


def method_views(studies: list[Study], root: Path = WORK) -> list[MethodView]:
    """Every plug with what its source says of it, the tests that vouch for it, and the studies made with it."""
    used = {study.name: _modules(study) for study in studies}
    return [
        MethodView(
            kind=info.kind,
            name=info.name,
            file=f"src/{info.module.replace('.', '/')}.py",
            doc=info.doc,
            details=ast.get_docstring(info.definition) or "",
            parameters=tuple((p.name, p.text, "" if p.required else json.dumps(p.default)) for p in info.parameters.values()),
            metrics=info.constants.get("METRICS", {}),
            papers=tuple(dict.fromkeys(KEY.findall(info.doc))),
            vouches=tuple(vouch for vouch in vouches(project_of(root) / "tests") if vouch.plug == f"{info.kind}/{info.name}"),
            studies=tuple(name for name, modules in used.items() if info.module in modules),
        )
        for info in everything()
    ]


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


def _where(results: Path) -> tuple[Path, str]:
    """The project that results/<scale> or results/archive/<scale> belongs to, and where its evidence comes from."""
    folder = results.absolute()  # results/ may be a link to another disk
    return (folder.parents[2], "archived") if folder.parent.name == archiving.ARCHIVE else (folder.parents[1], "recomputed")


def _release(root: Path) -> str:
    """The archive's date and commit; empty before there is an archive."""
    try:
        return archiving.read_release(root).name if archiving.exists(root) else ""
    except ArtifactError:
        return "this commit"


def _agreement(study: Study, results: Path, root: Path) -> Agreement | None:
    """How well the evidence agrees with the archived; None before there is an archive or any evidence."""
    if not archiving.exists(root) or not (results / "observations" / study.name).exists():
        return None
    try:
        release = archiving.read_release(root)
        if release.scale != study.scale:
            return not_compared(f"the archive holds evidence at scale {release.scale}")
        if study.name not in archiving.archived_names(root):
            return not_compared("not in the archive")
        archived = read_evidence(root / archiving.ARCHIVE / "observations" / study.name)
        return compare(read_evidence(results / "observations" / study.name), archived)
    except AssayError as error:
        return not_compared(str(error))


def _worlds(study: Study) -> dict[str, tuple[str, ...]]:
    """The worlds that have a card, each with the arms that see it."""
    arms: dict[str, dict[str, None]] = {}
    for cell in study.cells:
        if not parents_in(cell.recipe.data["world"]):
            arms.setdefault(card_name(cell.recipe.data["world"]), {})[cell.arm] = None
    return {name: tuple(seen_by) for name, seen_by in arms.items()}


def _stale(study: Study, results: Path) -> tuple[str, ...] | None:
    try:
        return tuple(staleness(study, read_json(results / "observations" / study.name / "provenance.json")))
    except EvidenceError:
        return None


def study_page(study: Study, results: Path) -> Page:
    """A study's page without its verdict, which is what figures are drawn from."""
    return read_page(results, study_view(study), load_catalogue()[study.file.paper])


def draw_figure(study: Study, results: Path) -> bytes:
    """The study's figure as SVG."""
    return figure(study_page(study, results))


def write_figure(study: Study, results: Path) -> None:
    """Draw a study's figure to results/<scale>/figures/."""
    write_atomic(results / f"figures/{study.name}.svg", draw_figure(study, results))


def write_paper(study: Study, results: Path) -> None:
    """Write the figures and tables for papers of a judged study to results/<scale>/paper/."""
    verdict = read_verdicts(results)["studies"].get(study.name, {})
    for end, content in paper_files(replace(study_page(study, results), verdict=verdict)).items():
        write_atomic(results / f"paper/{study.name}{end}", content)


def for_each(write: Callable[[Study, Path], None], studies: Iterable[Study], results: Path, processes: int) -> None:
    """Write something of each study, in several processes; the first error is raised."""
    # Looking for garbage would take a seventh of the time.
    with ProcessPoolExecutor(processes, get_context("fork"), initializer=gc.disable) as pool:
        list(pool.map(partial(write, results=results), studies))


def write_report(studies: list[Study], results: Path, verdicts: str = "verdicts.json") -> None:
    """Bring results/<scale>/report/ up to date; the manifest of a complete report goes until it is known to be one."""
    (results / "report" / "manifest.json").unlink(missing_ok=True)
    views = [checked_view(study, results) for study in studies]
    methods = method_views(studies, _where(results)[0])
    written = build(results, results / "report", views, load_catalogue(), methods, verdicts)
    print(f"written: {', '.join(written) or 'nothing; every page is up to date'}")


def write_manifest(path: Path) -> None:
    """List every file of a complete report with its sha256."""
    files = sorted(file for file in path.parent.rglob("*") if file.is_file() and file != path)
    sums = {str(file.relative_to(path.parent)): sha256(file) for file in files}
    write_atomic(path, json.dumps(sums, indent=1))
