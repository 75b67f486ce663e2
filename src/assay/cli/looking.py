"""What is not known to be right is looked at: studies at every scale, recipes, plugs, records of trials. No torch."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from assay.artifacts.texts import Texts
from assay.cli.memo import Found, Memo
from assay.errors import StudyError
from assay.language.configuration import Config
from assay.language.frozen import frozen_before, warnings_of, was_before
from assay.language.inputs import shown
from assay.language.metrics import check_metrics
from assay.language.plugs import everything, misnamed, rests_on, watched
from assay.language.scales import load_scale, scales
from assay.language.stretching import stretched
from assay.language.studies import drafts, reader, study_paths
from assay.language.study import Study
from assay.pipeline.fitting import unfit
from assay.storage.places import CONFIG, WORK

DRAFTED = "a draft, skipped by runs of all studies"
Reader = Callable[[str], Study]


def look(memo: Memo, config: Path) -> Found:
    """Check what the memo does not know, and put into it what is right."""
    plugs = list(everything())
    problems = list(_plug_problems(plugs, memo))
    paths = study_paths(config)
    unsure = [name for name in paths if name not in memo.sound]
    readers = {scale: _reader(scale, config, paths) for scale in (scales(config) if unsure else ())}
    wrong = _study_problems(config, unsure, readers)
    written = {name: wrong.pop(name) for name in drafts(paths) if name in wrong}
    damaged, said = {}, {name: (each["warnings"], each["before"]) for name, each in memo.sound.items()}
    for study in _readable(readers.get(Config().scale), unsure):
        try:
            said[study.name] = [*warnings_of(study, config), *stretched(study)], was_before(study, config)
        except StudyError as error:
            damaged[study.name] = str(error)
    for name in unsure:
        if name in said and name not in wrong | written:
            memo.add(name, *said[name])
    why = frozen_before(config).why if any(before for _, before in said.values()) else ""
    memo.save(memo.scales or _needs_of_scales(config), len(plugs), why)
    count = sum(before for _, before in said.values())
    return Found(
        problems=[*problems, *wrong.values(), *damaged.values()],
        warnings=[
            *(f"{name}: {DRAFTED}: {problem}" for name, problem in written.items()),
            *(line for name in sorted(said) for line in said[name][0]),
        ],
        before=f"{count} studies were {why}" if count else "",
        counts={"studies": len(paths), "scales": len(scales(config)), "plugs": len(plugs)},
    )


def _reader(scale: str, config: Path, paths: Mapping[str, Path]) -> Reader:
    """What reads a study at a scale; at one that is itself wrong it says so of each."""
    try:
        return reader(scale, config, paths)
    except StudyError as error:
        problem = str(error)

    def says_why(_name: str) -> Study:
        raise StudyError(problem)

    return says_why


def _readable(read: Reader | None, names: list[str]) -> Iterator[Study]:
    for name in names if read else ():
        with contextlib.suppress(StudyError):
            yield read(name)


def _plug_problems(plugs: list, memo: Memo) -> Iterator[str]:
    for path in misnamed():
        better = f"{path.stem.replace('-', '_')}.py"
        yield f"{shown(path)}: is no plug, as '{path.stem}' is no name in Python; call it {better}"
    for plug in plugs:
        key = f"{plug.kind}/{plug.name}"
        if key in memo.plugs:
            continue
        try:
            _ = plug.parameters
            if plug.kind == "protocols":
                check_metrics(shown(plug.path), plug.constants.get("METRICS"))
            if plug.doc:
                memo.plugs[key] = plug.rests_on if memo.kept else {}
            else:
                yield f"{shown(plug.path)}: has no module docstring; say what it computes and cite the paper"
        except StudyError as error:
            yield str(error)


def _study_problems(config: Path, names: list[str], readers: Mapping[str, Reader]) -> dict[str, str]:
    """What is wrong with these studies, at the first scale where something is."""
    wrong: dict[str, str] = {}
    good: list[Study] = []
    texts = Texts(config, WORK if config == CONFIG else config.parent, names)
    for read in readers.values():
        for name in names:
            try:
                if name not in wrong:
                    texts.check(read(name))
                    good.append(read(name))
            except StudyError as error:
                wrong[name] = str(error)
    wrong = unfit(study for study in good if study.name not in wrong) | wrong
    return {name: wrong[name] for name in names if name in wrong}


def _needs_of_scales(config: Path) -> dict[str, str]:
    """The files of the plugs that scales name."""
    with watched() as seen, contextlib.suppress(StudyError):
        for scale in scales(config):
            load_scale(scale, config)
    return {path: value for files in rests_on(seen.plugs).values() for path, value in files.items()}
