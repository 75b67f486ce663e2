"""Which rows of the catalogue work: computed from studies, evidence, verdicts and tests, never declared.

A row works when its study validates, its evidence exists at a conclusive scale and is fresh, its controls pass, and every plug
that the paper introduces has an oracle test that vouches for it. No torch is imported.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

from assay.artifacts.ledger import LEDGER, read_ledger
from assay.errors import AssayError, StudyError
from assay.language.catalogue import NO_PAPER, Catalogue
from assay.language.configuration import Config, results_folder
from assay.language.draws import JUDGED, current
from assay.language.kept import Notes, digest_of
from assay.language.plugs import PlugInfo, describe, parsed
from assay.language.scales import load_scale, scales
from assay.language.studies import drafts, load_studies, study_paths
from assay.language.study import Study, digest_of_judgement
from assay.pipeline.deciding import sources_now
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import source_hash
from assay.storage.files import read_json
from assay.storage.places import PACKAGE, PROJECT, WORK, config_of, project_of

DEFAULT_SCALE = Config().scale
OTHER_EXPECTATIONS = "the verdict is on other expectations, controls or margins; run snakemake"


@dataclass(frozen=True)
class Row:
    """One paper: its study, the word on it and the count of its claims, whether it works, and what is missing if it does not."""

    study: str | None
    word: str | None
    count: str | None
    working: bool
    missing: list[str]

    @classmethod
    def without(cls, study: str | None, why: str) -> "Row":
        """A row without evidence, for one reason."""
        return cls(study, None, None, False, [why])


@dataclass(frozen=True)
class Told:
    """The word on a study and the count of its claims, where evidence is judged."""

    word: str
    count: str


@dataclass(frozen=True)
class Vouch:
    """A test that checks a plug against an independent truth, for a paper; None if the catalogue has no row for the method."""

    plug: str
    paper: str | None
    test: str


@dataclass(frozen=True)
class Introduction:
    """A plug that a study's paper brings: what it computes, in a line, and the tests that vouch for it."""

    plug: str
    text: str
    tests: tuple[str, ...]


def coverage(catalogue: Catalogue, root: Path = WORK) -> dict:
    """Rows by paper, counted by family: {"total", "working", "families", "papers"}."""
    rows = {paper: Row.without(None, "no study") for paper in catalogue}
    paths = study_paths(config_of(root))
    for study_name in sorted(paths.keys() - set(drafts(paths))):
        paper, row = _row_of(study_name, root)
        if paper in rows and not rows[paper].working:
            rows[paper] = row
    families = {family: {"total": 0, "working": 0} for family in catalogue.families()}
    for paper, row in rows.items():
        families[catalogue[paper].family]["total"] += 1
        families[catalogue[paper].family]["working"] += row.working
    working = sum(row.working for row in rows.values())
    return {"total": len(rows), "working": working, "families": families, "papers": {p: asdict(r) for p, r in rows.items()}}


def _row_of(name: str, root: Path) -> tuple[str | None, Row]:
    """The best row over all conclusive scales; of equal ones that at the scale which runs by default."""
    best: tuple[str | None, Row] | None = None
    config = config_of(root)
    for scale in sorted(scales(config), key=lambda scale: scale != DEFAULT_SCALE):
        if not load_scale(scale, config).conclusive:
            continue
        try:
            study = load_studies(scale, config, only=[name], left_out=True)[name]
        except AssayError as error:
            return None, Row.without(name, str(error))
        if study.stand_ins.left_out:
            continue
        row = row_at(study, root)
        if best is None or _rank(row) > _rank(best[1]):
            best = (study.file.paper, row)
    return best or (None, Row.without(name, "no conclusive scale in config/scales/"))


def _rank(row: Row) -> tuple[bool, int]:
    """A row with a word before one without, then the one that lacks less."""
    return row.word is not None, -len(row.missing)


def row_at(study: Study, root: Path = WORK, sources: Sources | None = None) -> Row:
    """The row of a study's paper, by the evidence that a run took or, if none is given, that counts now."""
    sources = sources or sources_now({study.name: study}, root / results_folder(study.scale), root)
    told, missing = _evidence(study, sources, root)
    missing += _untested(study, project_of(root) / "tests")
    return Row(study.name, told and told.word, told and told.count, not missing, missing)


def _evidence(study: Study, sources: Sources, root: Path) -> tuple[Told | None, list[str]]:
    name, places = study.name, sources.places.get(study.name, ())
    if not places:
        why = sources.lacking.get(name) or (f"run snakemake --config scale={study.scale} 'studies=[{name}]'",)
        return None, [f"no evidence at scale {study.scale}: {why[0]}"]
    state = sources.freshness(name)
    missing = [f"evidence is {state.word}: {reason}" for reason in state.reasons]
    if current() != JUDGED:
        missing.append(f"made on trial draws ('{current()}'), on which no verdict rests")
    judgement = digest_of_judgement(json.loads(study.judgement))
    record, why = _record(name, judgement, sources)
    if record is None and not sources.from_archive(name):
        return None, [*missing, f"not judged: {why}"]
    if record is None:
        line = read_ledger(root).get((study.scale, name))
        if line is None or line.judgement != judgement:
            return None, [*missing, f"not judged: {OTHER_EXPECTATIONS}"]
        return released(study.scale, root)[name], [*missing, *([] if line.valid else ["control failed"])]
    missing += [f"control failed: {control['text']}" for control in record["controls"] if not control["passed"]]
    return Told(record["word"], record["count"]), missing


def released(scale: str, root: Path = WORK) -> dict[str, Told]:
    """What the committed ledger says of its studies at a scale."""
    text = root / LEDGER
    return _released(scale, root, text.stat().st_mtime_ns if text.exists() else 0)


@lru_cache(maxsize=2)
def _released(scale: str, root: Path, changed_ns: int) -> dict[str, Told]:
    from assay.judging.release import Release  # numpy and scipy, which reading the rules does without

    release = Release.at(scale, root)
    return {name: Told(*release.word_and_count(name)) for name in release.lines}


def _record(name: str, judgement: str, sources: Sources) -> tuple[dict | None, str]:
    """The verdict in the results folder that rests on this very evidence, judged by this digest's text, or why there is none."""
    path = sources.results / "verdicts.json"
    verdicts = _read_once(path, path.stat().st_mtime_ns) if path.exists() else {"studies": {}, "failed": {}}
    record = verdicts["studies"].get(name)
    if record is None:
        return None, verdicts["failed"].get(name, {}).get("error", "run snakemake")
    if record["rests_on"]["blocks"] != sources.checksums(name):
        return None, "the verdict rests on other observations; run snakemake"
    if record["rests_on"]["judgement"] != judgement:
        return None, OTHER_EXPECTATIONS
    return record, ""


@lru_cache(maxsize=2)
def _read_once(path: Path, changed_ns: int) -> dict:
    """The verdicts of all studies, parsed once however many are asked for."""
    return read_json(path)


def other_scales(study: Study, root: Path = WORK) -> list[str]:
    """The scales besides the study's own at which its evidence lies in results/."""
    return [
        scale
        for scale in scales(config_of(root))
        if scale != study.scale and any((root / results_folder(scale) / "observations" / study.name).glob("*/provenance.json"))
    ]


def said_of(plug: PlugInfo) -> str:
    """What a plug's source says of it, in code and in docstrings: all that its page shows but tests and studies; of
    one that cannot be read, why."""
    try:
        said = _notes().of(plug.path, "said", lambda: f"{plug.doc} {ast.get_docstring(plug.definition)}")
        return f"{source_hash(plug.module)} {said}"
    except StudyError as error:
        return str(error)


@cache
def _notes() -> Notes:
    return Notes("said", digest_of(PACKAGE, ["overview/coverage.py"]))


def introduced(study: Study) -> list[str]:
    """Plugs of the study whose docstring cites its paper: what the paper brings. None of a study without one."""
    if study.file.paper == NO_PAPER:
        return []
    cited = re.compile(rf"\b{re.escape(study.file.paper)}\b")
    return sorted(plug for plug in study.plugs if cited.search(describe(*plug.split("/")).doc))


def introductions(study: Study, tests: Path = PROJECT / "tests") -> list[Introduction]:
    """What the study's paper brings, with the tests that vouch for each plug on that paper's behalf."""
    by_plug: dict[str, list[str]] = {}
    for vouch in vouches(tests):
        if vouch.paper == study.file.paper:
            by_plug.setdefault(vouch.plug, []).append(vouch.test)
    texts = {plug: describe(*plug.split("/")).doc.partition("\n")[0] for plug in introduced(study)}
    return [Introduction(plug, text, tuple(by_plug.get(plug, ()))) for plug, text in texts.items()]


def _untested(study: Study, tests: Path) -> list[str]:
    plugs = introductions(study, tests)
    if not plugs and study.file.paper != NO_PAPER:
        return [f"no plug of the study cites {study.file.paper} in its docstring"]
    return [f"no oracle test vouches for {introduction.plug}" for introduction in plugs if not introduction.tests]


@cache
def vouches(tests: Path) -> tuple[Vouch, ...]:
    """All `pytest.mark.vouches("kind/name", paper="P000")` marks in the tests, read from their source."""
    found = ((path, str(path.relative_to(tests.parent))) for path in sorted(tests.rglob("test_*.py")))
    return tuple(
        Vouch(*each) for path, name in found for each in _notes().of(path, name, lambda path=path: _read_off(path, tests))
    )


def _read_off(path: Path, tests: Path) -> list[list[str | None]]:
    return [[vouch.plug, vouch.paper, vouch.test] for vouch in _vouches_in(path, tests)]


def _vouches_in(path: Path, tests: Path) -> Iterator[Vouch]:
    try:
        tree = parsed(path)
    except StudyError:
        return  # a test that cannot run vouches for nothing
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.vouches":
                yield Vouch(*_plug_and_paper(mark, path), test=f"{path.relative_to(tests.parent)}::{node.name}")


def _plug_and_paper(mark: ast.Call, path: Path) -> tuple[str, str | None]:
    try:
        (plug,) = map(ast.literal_eval, mark.args)
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
        if set(keywords) - {"paper"}:
            raise ValueError
    except ValueError:
        wanted = 'pytest.mark.vouches("kind/name", paper="P000")'
        raise StudyError(f"{path}:{mark.lineno}: {ast.unparse(mark)} cannot be read; write {wanted} with literals") from None
    return plug, keywords.get("paper")
