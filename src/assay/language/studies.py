"""The folder of studies: each file found, read, checked and compiled at a scale, in the setting of the scale if it has one."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from assay.errors import StudyError, unknown
from assay.language.compiling import Compiler, catalogue
from assay.language.draws import JUDGED, current
from assay.language.inputs import parse, read_yaml, shown
from assay.language.keeping import Keeper
from assay.language.scales import Replacing, Scale, StandInError, StandIns, load_scale, setting_for
from assay.language.seeds import load_seeds
from assay.language.study import Cell, Study, StudyFile
from assay.storage.places import CONFIG

__all__ = [
    "NAME",
    "Cell",
    "Study",
    "StudyFile",
    "compile_study",
    "drafts",
    "load_left_out",
    "load_studies",
    "skipped",
    "study_paths",
]

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DRAFT = re.compile(rb"^draft *: *true *(#.*)?\r?$", re.MULTILINE)


def study_paths(config: Path = CONFIG, canaries: bool = False) -> dict[str, Path]:
    """All study files by study name; names are unique over families. Hidden files are what systems and editors leave. canaries:
    also those in config/canaries, which are there for `assay prove` alone."""
    found: dict[str, Path] = {}
    own = (config / "canaries").glob("[!.]*.yaml") if canaries else ()
    # By their parts: paths compare slowly.
    for path in sorted([*(config / "studies").glob("[!.]*/[!.]*.yaml"), *own], key=lambda path: path.parts):
        name = path.stem
        if not NAME.fullmatch(name):
            raise StudyError(f"{shown(path)}: a study's file name must match {NAME.pattern}; rename it")
        if name in found:
            raise StudyError(f"{shown(path)}: the name '{name}' is taken by {shown(found[name])}; names are unique")
        found[name] = path
    return found


def drafts(paths: Mapping[str, Path]) -> list[str]:
    """The names of the studies that are being written: those with a line `draft: true`, as their files may be anything yet."""
    return sorted(name for name, path in paths.items() if _is_draft(path))


def skipped(names: Collection[str]) -> str:
    """The line that says which drafts a run of all studies skips; empty without any."""
    if not names:
        return ""
    first = next(iter(names))
    plural = "s" * (len(names) != 1)
    return f"skipped, as draft{plural}: {', '.join(names)}; to run one: snakemake --config draws=trial 'studies=[{first}]'"


def _is_draft(path: Path) -> bool:
    try:
        return bool(DRAFT.search(path.read_bytes()))
    except OSError:
        return False  # whoever reads it says so


def load_studies(
    scale: str,
    config: Path = CONFIG,
    only: Iterable[str] | None = None,
    canaries: bool = False,
    with_drafts: Collection[str] = (),
    left_out: bool = False,
) -> dict[str, Study]:
    """Read, check and compile all studies of a scale, sorted by name, or those named. canaries: see `study_paths`. Drafts are
    read where they are named: in `only`, or in `with_drafts` beside all others. left_out: also those that the scale leaves out;
    without it, StudyError where one of them is named."""
    paths = study_paths(config, canaries)
    skipped = set(drafts(paths)).difference(with_drafts) if only is None else ()
    names = sorted(paths.keys() - skipped) if only is None else list(only)
    for name in names:
        if name not in paths:
            raise StudyError(unknown("study", name, paths))
    read = reader(scale, config, paths)
    studies = {name: read(name) for name in names}
    if left_out:
        return studies
    for name, study in studies.items() if only is not None else ():
        if study.stand_ins.left_out:
            raise StudyError(f"{name} does not run at scale {scale}: keeps {study.stand_ins.kept}; see it at another scale")
    return {name: study for name, study in studies.items() if not study.stand_ins.left_out}


def load_left_out(scale: str, config: Path = CONFIG) -> dict[str, str]:
    """The studies that a scale leaves out, each with what it keeps and why."""
    if not load_scale(scale, config).only_stand_ins:
        return {}
    studies = load_studies(scale, config, left_out=True)
    return {name: study.stand_ins.kept for name, study in studies.items() if study.stand_ins.left_out}


def reader(scale: str, config: Path = CONFIG, paths: Mapping[str, Path] | None = None) -> Callable[[str], Study]:
    """What reads, checks and compiles one study by name at a scale. Those of the project itself are kept (see kept.py)."""
    paths = study_paths(config) if paths is None else paths
    sizes = load_scale(scale, config)
    seeds = dict.fromkeys(paths, sizes.first_look) | load_seeds(scale, sizes.first_look, paths, config)

    def compiled(name: str) -> Study:
        return compile_study(paths[name], scale, sizes, seeds[name])

    if config == CONFIG:
        keeper = Keeper(scale, sizes.model_dump_json(), papers=lambda paper: paper in catalogue())
        return lambda name: _drawn(keeper.study(paths[name], seeds[name], lambda: compiled(name)))
    return lambda name: _drawn(compiled(name))


def _drawn(study: Study) -> Study:
    """The study with the repetitions that it has on the draws of this process."""
    return study if current() == JUDGED else study.tried


def compile_study(path: Path, scale_name: str, scale: Scale, seeds: int | None = None) -> Study:
    """One study file, checked and compiled at a scale, with this many seeds or those of the first look. StudyError in one line
    for anything that cannot be used."""
    file = parse(StudyFile, read_yaml(path), path)
    study = Compiler(path, file, scale_name, scale, seeds=seeds).study()
    return _with_stand_ins(study, scale) if scale.settings else study


def _with_stand_ins(study: Study, scale: Scale) -> Study:
    """The study in the setting of its scale, or as it is with the reason why."""
    own = [cell.recipe for cell in study.cells]
    recipes = list(dict.fromkeys([*own, *(ancestor for recipe in [*own, *study.recipes] for ancestor in recipe.ancestry())]))
    try:
        name = setting_for(study.name, scale, recipes, [cell.protocol for cell in study.cells])
        terms = Replacing(scale, scale.settings[name], recipes, next(iter(study.file.sweep), None))
        made = Compiler(study.path, study.file, study.scale, scale, terms, study.seeds).study()
        _refuse_equal_arms(study, made)
    except StandInError as reason:
        return replace(study, stand_ins=StandIns(kept=str(reason), left_out=scale.only_stand_ins))
    return replace(made, stand_ins=StandIns(name, terms.replaced))


def _refuse_equal_arms(study: Study, made: Study) -> None:
    """Raise StandInError if arms that differ would be the same, as where they differ in nothing but the size of a world."""
    for number, (old, new) in enumerate(zip(study.cells, made.cells, strict=True)):
        for old_other, new_other in zip(study.cells[:number], made.cells[:number], strict=True):
            was_equal = (old.recipe, old.protocol) == (old_other.recipe, old_other.protocol)
            if not was_equal and (new.recipe, new.protocol) == (new_other.recipe, new_other.protocol):
                raise StandInError(f"arms {new_other.arm} and {new.arm} would be the same")
