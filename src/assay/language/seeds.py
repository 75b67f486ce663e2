"""How many seeds each study is judged on: config/seeds/<scale>.yaml, committed, a line for each study beyond its first look.

    mixup: 20

Only looks are allowed, so that nobody stops where it suits; a study's seeds are the gapless run of that many from its first one.
`assay more` writes the file. A scale without one has all studies at its first look.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from assay.errors import StudyError, unknown
from assay.language.inputs import read_yaml, shown
from assay.language.looks import next_look, scheduled
from assay.storage.files import write_atomic
from assay.storage.places import CONFIG

HEADER = "# Seeds of the studies that were looked at further than first_look; see assay more --help.\n"


def seeds_path(scale: str, config: Path = CONFIG) -> Path:
    return config / "seeds" / f"{scale}.yaml"


def load_seeds(scale: str, first_look: int, studies: Collection[str], config: Path = CONFIG) -> dict[str, int]:
    """The seeds of the studies that the scale's file names. StudyError for an unknown study and for a number that is no look."""
    path = seeds_path(scale, config)
    if not path.exists():
        return {}
    given = read_yaml(path)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise StudyError(f"{shown(path)}: expected lines such as 'mixup: {2 * first_look}', got {str(given)[:40]!r}")
    for study, seeds in given.items():
        if study not in studies:
            raise StudyError(f"{shown(path)}: {unknown('study', study, studies)}")
        _check_look(f"{shown(path)}: {study}", seeds, first_look)
    return given


def _check_look(where: str, seeds: Any, first_look: int) -> None:
    looks = f"allowed: {first_look}, {2 * first_look}, {4 * first_look}, ..."
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise StudyError(f"{where}: {seeds!r} is no number of seeds ({looks})")
    if seeds not in scheduled(first_look, seeds):
        raise StudyError(f"{where}: {seeds} is no look ({looks}); the next one is {next_look(first_look, seeds)}")


def write_seeds(scale: str, seeds: Mapping[str, int], first_look: int, config: Path = CONFIG) -> Path:
    """Write the seeds of those studies that have more than the first look; the path."""
    path = seeds_path(scale, config)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, HEADER + "".join(f"{study}: {seeds[study]}\n" for study in sorted(seeds) if seeds[study] > first_look))
    return path
