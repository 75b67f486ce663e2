"""From compiled studies and stored evidence to the report: the views the pages are made of."""

import ast
import gc
import json
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from assay.artifacts.archiving import own_blocks, read_archived
from assay.artifacts.entries import Entry, read_entries
from assay.errors import AssayError, StudyError
from assay.evidence.agreement import Agreement, compare, not_compared
from assay.evidence.cards import card_name
from assay.evidence.freshness import STALE, UNPROVEN
from assay.evidence.tables import joined, read_blocks
from assay.language.catalogue import load as load_catalogue
from assay.language.frozen import record_of
from assay.language.plugs import PlugInfo, describe, everything
from assay.language.recipes import parents_in
from assay.language.studies import load_left_out, load_studies
from assay.language.study import Study
from assay.overview.coverage import introductions, other_scales, row_at, vouches
from assay.overview.elsewhere import elsewhere, images_of
from assay.pipeline.rechecking import read_rechecks
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import closure
from assay.report import MethodView, Page, StudyView, build, drawings, figure, read_page, read_verdicts
from assay.report.paper import FORMATS, column_figures, paper_files
from assay.report.worlds import written
from assay.storage.files import sha256, write_atomic
from assay.storage.places import WORK, config_of, project_of

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
        first=study.first,
        revised=tuple(each.model_dump() for each in file.revised),
    )


@dataclass(frozen=True)
class Known:
    """What is read once for all studies: the archive's entries by study, and what came out of computing some again."""

    entries: Mapping[str, list[Entry]]
    told: Mapping[str, str]

    @classmethod
    def read(cls, sources: Sources, root: Path = WORK) -> "Known":
        entries: dict[str, list[Entry]] = {}
        for entry in read_entries(root).values():
            if entry.study:
                entries.setdefault(entry.study, []).append(entry)
        return cls(entries, {each.study: each.told for each in reversed(read_rechecks(sources))})

    def blocks(self, study: Study) -> list[Entry]:
        """The study's archived blocks, of the platform that was archived first."""
        return next(iter(own_blocks(study, self.entries.get(study.name, ())).values()), [])


def checked_view(study: Study, sources: Sources, root: Path = WORK, known: Known | None = None) -> StudyView:
    """The study with how its row stands: what its paper brings, which tests vouch for that, how fresh the evidence is."""
    known = known or Known.read(sources, root)
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
        agreement=_agreement(study, sources, root, known.blocks(study)),
        release=_release(known.entries.get(study.name, ()), study),
        recheck=known.told.get(study.name, ""),
        retired=sources.retired.get(study.name, ()),
        trial=tuple(record.claims) if (record := record_of(study, config_of(root))) else (),
        images=images_of(study, root),
        elsewhere=elsewhere(study, root),
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


def _release(entries: Iterable[Entry], study: Study) -> str:
    """The day and commit of the study's first entry in the archive; empty if it has none."""
    found = [entry for each in own_blocks(study, entries).values() for entry in each]
    return f"{found[0].date}, commit {found[0].commit[:7]}" if found else ""


def _agreement(study: Study, sources: Sources, root: Path, entries: Sequence[Entry]) -> Agreement | None:
    """How well what was computed here agrees with the archived; None where one of the two is missing."""
    if study.name in sources.in_part:
        return None
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


def draw_in_part(studies: Mapping[str, Study], sources: Sources) -> None:
    """Draw the studies of which arms failed from what the other arms came to; none where a figure needs them all."""
    for name in sources.in_part:
        try:
            write_atomic(sources.drawing(name), draw_figure(studies[name], sources))
        except Exception:
            sources.drawing(name).unlink(missing_ok=True)
            traceback.print_exc()


def drawing_keys(drawn: Mapping[str, Any], code: Mapping[str, str], sources: Sources) -> dict[str, str]:
    """The key of each study's drawing: a digest of its evidence, and of the figure plug, its parameters and code.

    drawn: what a study's figure shows beside the evidence (`figure`: the plug and its parameters). code: a hash by figure plug.
    """
    entries = read_entries()
    return {
        study: drawings.key_of(study, said, [code[plug] for plug in said["figure"]], _sums(study, sources, entries))
        for study, said in drawn.items()
    }


def _sums(study: str, sources: Sources, entries: Mapping[str, Entry]) -> list[Any]:
    """Checksums of the files of a study's blocks, where they lie."""
    return [
        [(name, file.sha256) for name, file in sorted(entries[place.key].files.items())]
        if place.where == "archive"
        else sha256(sources.folder(study, place.block) / "provenance.json")  # it holds those of the others
        for place in sources.places[study]
    ]


def write_figures(keys: Mapping[str, str], scale: str, sources: Sources, processes: int) -> list[str]:
    """Bring the figures of these studies to results/<scale>/figures/, each drawn unless it was drawn before; those drawn."""
    cache, out = sources.results / "cache/figures", sources.results / "figures"
    known = drawings.kept(cache, keys)
    for name, content in known.items():
        write_atomic(out / f"{name}.svg", content)
    missing = [name for name in keys if name not in known]
    for_each(partial(_write_figure, keys=keys, sources=sources), load_studies(scale, only=missing).values(), processes)
    drawings.forget(cache, sources.shown)
    return missing


def _write_figure(study: Study, keys: Mapping[str, str], sources: Sources) -> None:
    content = draw_figure(study, sources)
    drawings.keep(sources.results / "cache/figures", study.name, keys[study.name], content)
    write_atomic(sources.results / f"figures/{study.name}.svg", content)


def write_papers(keys: Mapping[str, str], scale: str, sources: Sources, processes: int) -> None:
    """Write the figures and tables for papers of these studies to results/<scale>/paper/; figures as `write_figures` does."""
    verdicts = read_verdicts(sources.results)["studies"]
    write = partial(_write_paper, keys=keys, sources=sources, verdicts=verdicts)
    for_each(write, load_studies(scale, only=keys).values(), processes)
    drawings.forget(sources.results / "cache/paper", [f"{name}.{kind}" for name in sources.shown for kind in FORMATS])


def _write_paper(study: Study, keys: Mapping[str, str], sources: Sources, verdicts: Mapping[str, dict]) -> None:
    cache = sources.results / "cache/paper"
    wanted = {f"{study.name}.{kind}": keys[study.name] for kind in FORMATS}
    known = drawings.kept(cache, wanted)
    page = replace(study_page(study, sources), verdict=verdicts.get(study.name, {}))
    whole = known.keys() == wanted.keys()
    figures = {kind: known[f"{study.name}.{kind}"] for kind in FORMATS} if whole else column_figures(page)
    if not whole:
        for kind, content in figures.items():
            drawings.keep(cache, f"{study.name}.{kind}", keys[study.name], content)
    for end, content in paper_files(page, figures).items():
        write_atomic(sources.results / f"paper/{study.name}{end}", content)


def for_each(write: Callable[[Study], None], studies: Iterable[Study], processes: int) -> None:
    """Write something of each study, in several processes where there are several studies; the first error is raised."""
    studies = list(studies)
    if len(studies) <= 1:
        for study in studies:
            write(study)
        return
    # Looking for garbage would take a seventh of the time.
    with ProcessPoolExecutor(processes, get_context("fork"), initializer=gc.disable) as pool:
        list(pool.map(write, studies))


def write_report(studies: list[Study], sources: Sources, verdicts: str = "verdicts.json") -> list[str]:
    """Bring results/<scale>/report/ up to date, and return the names of the parts that had to be written.

    The manifest of a complete report goes until it is known to be one.
    """
    out = sources.results / "report"
    (out / "manifest.json").unlink(missing_ok=True)
    known = Known.read(sources)
    views = [checked_view(study, sources, known=known) for study in studies]
    left_out = load_left_out(studies[0].scale) if studies else {}
    return build(sources, out, views, load_catalogue(), method_views(studies), verdicts, left_out)


def write_manifest(path: Path) -> None:
    """List every file of a complete report with its sha256."""
    files = sorted(file for file in path.parent.rglob("*") if file.is_file() and file != path)
    sums = {str(file.relative_to(path.parent)): sha256(file) for file in files}
    write_atomic(path, json.dumps(sums, indent=1))
