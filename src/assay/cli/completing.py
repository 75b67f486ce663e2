"""What a shell is offered for names: studies, scales, kinds of plugs, papers, sides of a comparison. No torch, no numpy."""

import contextlib
from collections.abc import Callable, Iterable

from assay.errors import AssayError
from assay.language.catalogue import NO_PAPER
from assay.language.catalogue import load as load_catalogue
from assay.language.plugs import kinds
from assay.language.scales import scales
from assay.language.studies import study_paths


def study_names(incomplete: str) -> list[str]:
    return _beginning(incomplete, study_paths)


def scale_names(incomplete: str) -> list[str]:
    return _beginning(incomplete, scales)


def listed_kinds(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda: ("studies", *kinds()))


def paper_keys(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda: (*load_catalogue(), NO_PAPER))


def sides(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda: ("here", "archive", "earlier", *scales()))


def _beginning(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Those of the names that begin so; none where a file is damaged, as a shell can show no error."""
    with contextlib.suppress(AssayError, OSError):
        return [name for name in names() if name.startswith(incomplete)]
    return []
