"""What a run will cost, before its first job: core seconds of each job, from records here or the archive's, and which it was."""

import math
import textwrap
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from assay.language.blocks import Block
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.networks.plan import Bundle
from assay.pipeline.progress import TARGET, Job, makespan
from assay.pipeline.records import Archive, Here, looked_at, read_record, shape, worked_on
from assay.provenance.fingerprints import fingerprint_of_networks
from assay.provenance.proofs import code_digest
from assay.storage.places import WORK, config_of

# Core seconds that jobs take beyond what records say, forked from a process that holds the libraries: to import the project and
# methods, to read and write. Seen over 14 jobs of three studies at scale ci, on an EPYC that was busy otherwise; a run under way
# corrects them by what its jobs take, as where each job imports the libraries itself, which takes four seconds more.
STARTS = {"train": 0.5, "measure": 0.7, "recheck": 0.8}
# Of other jobs: to start, for each output, for each study shown. Seen at 3, 40 and 160 studies on that EPYC.
OTHERS = {
    "world": (0.35, 0.0, 0.0),
    "figure": (0.4, 0.25, 0.0),
    "archived_figures": (0.6, 0.3, 0.0),
    "figures": (0.6, 0.4, 0.0),
    "judge": (0.35, 0.0, 0.02),
    "report": (1.4, 0.0, 0.18),
    TARGET: (0.0, 0.0, 0.0),
}
SAME = "the same processor"
UNKNOWN = (2.0, 0.0, 0.0)
PLAN_FILE = "ASSAY_PLAN_FILE"  # names the file that a dry run writes its forecast to, as JSON, in place of a line
# Seconds of `probe` on the processors that the archive's records are of, when idle: evidence of another one brings a line of its
# own. A processor is known by what it calls itself, so that two of one name count as equal.
PROBED = {"AMD EPYC": 0.0020}


@dataclass(frozen=True)
class RunForecast:
    """The jobs of a run by number, with their names, the cores there are, and what the seconds rest on, in words; how many
    networks it trains, each seed's counted."""

    jobs: Mapping[int, Job]
    names: Mapping[int, str]
    cores: int
    basis: str
    networks: int = 0

    @property
    def core_seconds(self) -> float:
        return math.fsum(job.seconds for job in self.jobs.values())

    @property
    def seconds(self) -> float:
        """Of wall time, if the cores have nothing else to do."""
        return makespan(self.jobs, self.cores)

    @property
    def line(self) -> str:
        """The forecast in a sentence, broken at 80 columns."""
        count = sum(job.rule != TARGET for job in self.jobs.values())
        jobs, cores = f"{count} job{'s' * (count != 1)}", f"{self.cores} core{'s' * (self.cores != 1)}"
        work = _minutes(self.core_seconds, "core-minute")
        text = f"plan: {jobs}, about {work}, {_minutes(self.seconds)} on {cores} ({self.basis})"
        return "\n".join(textwrap.wrap(text, 80, subsequent_indent="  ", break_on_hyphens=False))

    @property
    def trains(self) -> str:
        """How much is trained, in a line; empty for nothing."""
        epochs = sum(job.epochs for job in self.jobs.values())
        return f"trains {self.networks:,} network{'s' * (self.networks != 1)}, {epochs:,} epochs in all" if epochs else ""

    def as_json(self) -> dict[str, Any]:
        rules = Counter(job.rule for job in self.jobs.values() if job.rule != TARGET)
        spent = {rule: math.fsum(job.seconds for job in self.jobs.values() if job.rule == rule) for rule in rules}
        return {
            "jobs": sum(rules.values()),
            "core_minutes": round(self.core_seconds / 60, 2),
            "wall_minutes": round(self.seconds / 60, 2),
            "cores": self.cores,
            "basis": self.basis,
            "line": self.line,
            "rules": {rule: {"jobs": rules[rule], "core_minutes": round(spent[rule] / 60, 2)} for rule in rules},
            "each": [
                {"rule": job.rule, "name": self.names[number], "core_s": round(job.seconds, 1)}
                for number, job in self.jobs.items()
                if job.rule != TARGET
            ],
        }


def _minutes(seconds: float, unit: str = "minute") -> str:
    """Seconds as minutes to read, those under ten with a decimal."""
    minutes = seconds / 60
    return f"{minutes:,.0f} {unit}s" if minutes >= 9.95 else f"{minutes:.1f} {unit}s"


def probe() -> float:
    """Seconds of one core for a fixed piece of arithmetic such as networks are made of; the fastest of some tries."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((256, 256), dtype=np.float32) for _ in range(2))
    spent = []
    with threadpool_limits(1):
        for _ in range(8):
            started = time.process_time()
            for _ in range(8):
                np.exp(np.minimum(left @ right, 0))
            spent.append(time.process_time() - started)
    return min(spent)


class Predictor:
    """Core seconds of the jobs of one scale, in this order: as recorded here, in the archive, for the same at other sizes here or
    in the archive, else as the median of all that is known.

    The archive's seconds are of its processor. They count times what this one took for the same things, or times what both take
    for a probe.
    """

    def __init__(self, name: str, studies: Mapping[str, Study], processor: str, root: Path = WORK):
        self.name, self.studies, self.processor, self.root = name, studies, processor, root
        self.here, self.archive = Here(root), Archive(root)
        self.from_where: Counter[str] = Counter()
        self._missing: dict[str, list[Recipe]] = {}

    def training(self, bundle: Bundle, networks: Path) -> float:
        """Of a job that trains what is not there yet."""
        return STARTS["train"] + math.fsum(self._network(recipe) for recipe in self.missing(bundle, networks))

    def missing(self, bundle: Bundle, networks: Path) -> list[Recipe]:
        """What a job has to train: each recipe as often as it lacks a repetition."""
        if bundle.name not in self._missing:
            there = networks_there(bundle, networks)
            pairs = [(recipe, seed) for recipe in bundle.recipes for seed in bundle.seeds]
            self._missing[bundle.name] = [recipe for recipe, seed in pairs if (recipe.name, seed) not in there]
        return self._missing[bundle.name]

    def measuring(self, rule: str, study: Study, block: Block) -> float:
        """Of a job that measures a block."""
        return STARTS[rule] + len(block.repetitions) * self._measuring(study)

    def other(self, rule: str, outputs: int, studies: int) -> float:
        """Of any other job, with so many outputs, about so many studies."""
        start, each, shown = OTHERS.get(rule, UNKNOWN)
        return start + each * outputs + shown * studies

    def _network(self, recipe: Recipe) -> float:
        if not recipe.data["budget"]["epochs"]:
            return self._noted("here", 0.0)
        if (seconds := self.here.network(recipe)) is not None:
            return self._noted("here", seconds)
        if (seconds := self._archived_networks.get(recipe.name)) is not None:
            return self._noted("archive", self.factor * seconds)
        work, text = worked_on(recipe), shape(recipe.data)
        if text in self.here.rates:
            return self._noted("here", work * self.here.rates[text])
        if text in self._archived_rates:
            return self._noted("archive", self.factor * work * self._archived_rates[text])
        return self._noted("others", work * self._any_rate)

    def _measuring(self, study: Study) -> float:
        if (seconds := self.here.measuring(self.name, study.name)) is not None:
            return self._noted("here", seconds)
        if block := self.archive.blocks.get((self.name, study.name)):
            return self._noted("archive", self.factor * block.measuring)
        for (scale, name), block in self.archive.blocks.items():
            if name == study.name and name in self._of_scale(scale):
                # Protocols often look at a fixed number of images, however many there are.
                ratio = (looked_at(study) / looked_at(self._of_scale(scale)[name])) ** 0.25
                return self._noted("archive", self.factor * ratio * block.measuring)
        known = [block.measuring for (scale, _), block in self.archive.blocks.items() if scale == self.name]
        return self._noted("others", self.factor * median(known) if known else 2.0)

    def _noted(self, where: str, seconds: float) -> float:
        self.from_where[where] += seconds
        return seconds

    def _of_scale(self, scale: str) -> Mapping[str, Study]:
        if scale == self.name:
            return self.studies
        if scale not in self._other_scales:
            self._other_scales[scale] = load_studies(scale, config_of(self.root))
        return self._other_scales[scale]

    @cached_property
    def _other_scales(self) -> dict[str, Mapping[str, Study]]:
        return {}

    @cached_property
    def _archived_networks(self) -> dict[str, float]:
        """By name; where a block's files were not pulled, its training in equal parts for a pixel worked on."""
        found = dict(self.archive.networks)
        for entry in self.archive.entries:
            studies = self._of_scale(entry.scale) if entry.scale == self.name else {}
            if entry.study in studies and not self.archive.blocks[entry.scale, entry.study].networks:
                recipes = studies[entry.study].recipes
                work = math.fsum(map(worked_on, recipes))
                seconds = entry.cost.get("train_core_s", 0.0) / len(entry.block.repetitions)
                for recipe in recipes:
                    found.setdefault(recipe.name, seconds * worked_on(recipe) / work)
        return found

    @cached_property
    def _archived_rates(self) -> dict[str, float]:
        """Core seconds for a pixel worked on, by the shape of archived networks."""
        names = self._archived_networks
        studies = [study for scale in {scale for scale, _ in self.archive.blocks} for study in self._of_scale(scale).values()]
        recipes = {recipe.name: recipe for study in studies for recipe in study.recipes}
        seen: dict[str, list[float]] = {}
        for name in names.keys() & recipes.keys():
            seen.setdefault(shape(recipes[name].data), []).append(names[name] / worked_on(recipes[name]))
        return {text: median(rates) for text, rates in seen.items()}

    @cached_property
    def _any_rate(self) -> float:
        rates = [*self.here.rates.values()] or [self.factor * rate for rate in self._archived_rates.values()]
        return median(rates) if rates else 1e-6

    @cached_property
    def factor(self) -> float:
        """Seconds here over seconds of the archive's processor."""
        return self._factor[0]

    @cached_property
    def _factor(self) -> tuple[float, str]:
        names = {platform["cpu"] for platform in self.archive.platforms(self.name)}
        if names == {self.processor}:
            return 1.0, SAME
        pairs = list(self._common())
        if sum(archived for _, archived in pairs) >= 5:
            return sum(here for here, _ in pairs) / sum(archived for _, archived in pairs), "scaled by what ran here"
        known = [PROBED[name] for name in names if name in PROBED]
        return (probe() / median(known), "scaled by a probe") if known else (1.0, "as they are")

    def _common(self) -> list[tuple[float, float]]:
        """Seconds here and in the archive of what both have."""
        found = []
        for (scale, study), block in self.archive.blocks.items():
            if (here := self.here.measuring(scale, study)) is not None:
                found.append((here, block.measuring))
        trained = {path.name for path in self.root.glob("results/*/networks/*")}
        recipes = {recipe.name: recipe for study in self.studies.values() for recipe in study.recipes}
        for name in trained & self.archive.networks.keys() & recipes.keys():
            if (here := self.here.network(recipes[name])) is not None:
                found.append((here, self.archive.networks[name]))
        return found

    @property
    def basis(self) -> str:
        """What the seconds that were asked for rest on, the largest part first."""
        if not self.from_where["archive"]:
            processor = ""
        elif self._factor[1] == SAME:
            processor = SAME
        else:
            processor = f"another processor, {self._factor[1]}"
        words = {
            "here": "records here",
            "archive": f"the archive's records of {processor}",
            "others": "those of other networks",
        }
        found = [words[where] for where, seconds in self.from_where.most_common() if seconds > 0]
        return f"from {'; '.join(found)}" if found else "what such jobs took elsewhere"


def networks_there(bundle: Bundle, networks: Path) -> Collection[tuple[str, int]]:
    """The networks of a bundle that lie there, made by code that is proven to compute what today's does."""
    found = set()
    for recipe in bundle.recipes:
        made = {seed: read_record(recipe.weights(networks, seed).with_suffix(".json"), "code") for seed in bundle.seeds}
        if any(made.values()):
            code = code_digest(fingerprint_of_networks([recipe], len(bundle.seeds)))
            found |= {(recipe.name, seed) for seed, about in made.items() if about and code_digest(about["code"]) == code}
    return found
