"""What a page is made of: the study as shown, its paper, and its evidence as tables for figures and templates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from assay.evidence.summary import plain, summarise
from assay.evidence.tables import COLUMNS, TRAINING_LOSS, Evidence, Observation, as_csv
from assay.language.catalogue import Paper
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import digest, fingerprint
from assay.report import drawings
from assay.storage.files import read_json

if TYPE_CHECKING:  # figures are drawn without it, so it must not redraw them
    from assay.evidence.agreement import Agreement
    from assay.language.frozen import Claim as TriedClaim
    from assay.language.published import Published
    from assay.overview.coverage import Introduction
    from assay.overview.elsewhere import Elsewhere


@dataclass(frozen=True)
class StudyView:
    """A compiled study as far as the report shows it.

    arms: arm -> its own settings. recipes: arm -> how its network comes to be and how it is
    measured, field by field, without what is left at its default. metrics: metric -> one line of description.
    release: date and commit of the archive, empty if there is none; agreement: of recomputed evidence with it.
    figure: {figure plug: its parameters}. expect and controls are the expressions as written. worlds: names of the cards of
    the worlds it draws from -> arms that see it. plugs: all it uses, as "kind/name". introduces: what the paper brings.
    stale: reasons why the evidence is out of date, unproven: what of the code changed without proof that it computes the same;
    lacking: why there is no evidence. missing: what the paper's row lacks to count as working; None if not
    checked. evidence: where it comes from, "recomputed" or "archived"; other_scales: further scales at which there is evidence.
    recheck: what came out when the archived evidence was computed again here. published: numbers the paper prints.
    first: the first seed it is judged on. revised: why its text was changed after looking, each with the seeds seen by then;
    retired: what the archive says of these texts. trial: what trial draws said of each claim before it was judged. images: what
    its networks were trained on, as readers call it; elsewhere: what was found of it at other scales.
    """

    name: str
    family: str
    paper: str
    question: str
    arms: dict[str, dict[str, Any]]
    protocol: str
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    margin: dict[str, float] = field(default_factory=dict)
    notes: str = ""
    baseline: str | None = None
    expect: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    yaml: str = ""
    figure: dict[str, dict[str, Any]] = field(default_factory=dict)
    worlds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plugs: tuple[str, ...] = ()
    introduces: tuple["Introduction", ...] = ()
    stale: tuple[str, ...] | None = None
    unproven: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    agreement: "Agreement | None" = None
    release: str = ""
    evidence: str = "recomputed"
    other_scales: tuple[str, ...] = ()
    recheck: str = ""
    published: tuple["Published", ...] = ()
    first: int = 0
    revised: tuple[dict[str, Any], ...] = ()
    retired: tuple[dict[str, Any], ...] = ()
    trial: tuple["TriedClaim", ...] = ()
    images: str = ""
    elsewhere: tuple["Elsewhere", ...] = ()


class Mean(NamedTuple):
    """An arm's mean of a metric over seeds, with its interval."""

    arm: str
    metric: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Page:
    """One study with everything known of it; figures and templates get this. observations has columns COLUMNS.

    arrays: what the protocol kept, by "<arm>/<name>". losses: the mean training loss (seeds, epochs) by arm. csv: the
    observations as text, as they lie on disk.

    The repr leaves out observations and arrays; their checksums are in the provenance.
    """

    study: StudyView
    paper: Paper
    observations: pd.DataFrame = field(repr=False)
    arrays: dict[str, np.ndarray] = field(repr=False)
    verdict: dict[str, Any]
    provenance: dict[str, Any]
    losses: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    csv: str = field(default_factory=str, repr=False)

    @cached_property
    def means(self) -> list[Mean]:
        """The means of all metrics without a coordinate."""
        return [Mean(*row) for row in summarise(plain(self.observations))[list(Mean._fields)].itertuples(index=False)]


class StoredPage(Page):
    """A page whose evidence is checked at once and parsed when something of it is asked for: most pages are as they were."""

    def __init__(self, sources: Sources, study: StudyView, paper: Paper, verdict: dict[str, Any] | None = None):
        fields = {"study": study, "paper": paper, "verdict": verdict or {}, "provenance": sources.provenance(study.name)}
        self.__dict__.update(fields, _sources=sources)

    @cached_property
    def means(self) -> list[Mean]:
        """The means, kept between runs: pages across studies show those of all."""
        folder, name = self._sources.results / "cache/means", self.study.name
        key = drawings.key_of(name, self.provenance["sha256"], digest(fingerprint("assay.evidence.summary")))
        found = drawings.kept(folder, {name: key}).get(name)
        if found is None:
            found = json.dumps(super().means).encode()
            drawings.keep(folder, name, key, found)
        return [Mean(*row) for row in json.loads(found)]

    def __getattr__(self, name: str) -> Any:
        if name not in TABLES:
            raise AttributeError(name)
        self.__dict__.update(tables(self._sources.evidence(self.study.name)))
        return self.__dict__[name]


TABLES = ("observations", "arrays", "losses", "csv")


def read_page(sources: Sources, study: StudyView, paper: Paper, verdict: dict[str, Any] | None = None) -> Page:
    """Read the evidence of one study where it lies; EvidenceError if it is missing or altered."""
    evidence = sources.evidence(study.name)
    return Page(study, paper, verdict=verdict or {}, provenance=evidence.provenance, **tables(evidence))


def tables(evidence: Evidence) -> dict[str, Any]:
    """The fields of a page that hold what was measured."""
    arrays, losses = dict(evidence.arrays), {}
    for name in [name for name in arrays if name.endswith(f"/{TRAINING_LOSS}")]:
        losses[name.removesuffix(f"/{TRAINING_LOSS}")] = arrays.pop(name)
    observations = evidence.observations
    return dict(zip(TABLES, (as_table(observations), arrays, losses, as_csv(observations)), strict=True))


def read_verdicts(results: Path, name: str = "verdicts.json") -> dict[str, Any]:
    """results/<scale>/<name>, with nothing judged if there is no such file yet."""
    path = results / name
    return read_json(path) if path.exists() else {"studies": {}, "failed": {}}


def as_table(observations: Sequence[Observation]) -> pd.DataFrame:
    """Observations as a table. x is numeric where every x is a number, text otherwise, and missing where there is none."""
    table = pd.DataFrame(observations, columns=COLUMNS)
    # One name among the coordinates makes all of them names: they cannot share an axis with numbers.
    named = any(isinstance(x, str) for x in table["x"])
    table["x"] = table["x"].map(_name if named else float, na_action="ignore").astype(object if named else float)
    return table.astype({"seed": int, "value": float})


def _name(x: float | str) -> str:
    return x if isinstance(x, str) else f"{x:g}"
