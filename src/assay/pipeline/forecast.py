"""What a plan will cost: what each job asks a scheduler for, and each study's networks and estimated hours. No torch."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.language.configuration import results_folder
from assay.language.recipes import Recipe, plug_name
from assay.language.scales import Scale, load_scale
from assay.language.studies import Study, load_studies
from assay.networks.plan import Bundle, Plan
from assay.pipeline.estimates import Estimator, model_name, root_world, throughputs
from assay.storage.places import WORK, config_of

SLACK = 1.5  # time asked for, over the estimate
START_MINUTES = 30  # for starting Python, reading data and surgery


@dataclass(frozen=True)
class Row:
    """One study of a plan.

    hours: of one device, for all networks the study needs, those it shares included; None if nothing is known. unknown:
    networks of whose model nothing is known, which count no hours. measured: whether all hours rest on trainings here.
    trains_inside: networks are trained while measuring, which nobody can count beforehand.
    """

    study: str
    networks: int
    hours: float | None
    unknown: int
    measured: bool
    trains_inside: bool
    worlds: list[str]
    setting: str | None
    stand_ins: dict[str, str]
    kept: str | None


def forecast_at(scale: str, names: Iterable[str] | None = None, root: Path = WORK) -> "Forecast":
    """The forecast of these studies of the project at a scale, or of all."""
    sizes = load_scale(scale, config_of(root))
    chosen = load_studies(scale, config_of(root), only=names or None).values()
    return Forecast(Plan.at(sizes, chosen), sizes, root / results_folder(scale) / "networks")


class Forecast:
    """A plan at a scale, with what its jobs ask for. networks: where trained ones lie, whose speeds replace published ones."""

    def __init__(self, plan: Plan, scale: Scale, networks: Path):
        self.plan, self.scale = plan, scale
        self.estimator = Estimator(throughputs(), networks, gpus=scale.job.gpus > 0)

    def gpus(self, bundle: Bundle) -> int:
        """GPUs of a training job: what the scale says for its model, as far as its objective can be shared out."""
        shared = [recipe for recipe in bundle.recipes if recipe.splits and recipe.data["budget"]["epochs"]]
        return max([self.scale.job.gpus, *(self.scale.gpus.get(model_name(recipe.data["model"]), 0) for recipe in shared)])

    def minutes(self, bundle: Bundle) -> int:
        """Time a training job asks for at its first attempt."""
        if not self.scale.job.gpus:
            return self.scale.job.minutes
        hours, unknown = self._hours(bundle.recipes)
        if unknown:
            return self.scale.job.minutes
        asked = START_MINUTES + SLACK * 60 * hours * len(bundle.seeds) / self.gpus(bundle)
        return min(self.scale.job.longest, math.ceil(asked))

    def rows(self) -> list[Row]:
        """One row a study, by name."""
        return [self._row(study) for study in self.plan.studies.values()]

    def total(self) -> tuple[int, float | None, int]:
        """Networks, hours and networks of whose model nothing is known, over the whole plan, each network once."""
        found = [(len(bundle.seeds), *self._hours(bundle.recipes), len(bundle.recipes)) for bundle in self.plan.bundles.values()]
        hours = math.fsum(seeds * each for seeds, each, _, _ in found)
        unknown = sum(seeds * count for seeds, _, count, _ in found)
        networks = sum(seeds * count for seeds, _, _, count in found)
        return networks, None if unknown and not hours else round(hours, 2), unknown

    def _hours(self, recipes: Iterable[Recipe]) -> tuple[float, int]:
        found = [self.estimator.hours(recipe) for recipe in recipes]
        return math.fsum(hours for hours in found if hours is not None), found.count(None)

    def _row(self, study: Study) -> Row:
        hours, unknown = self._hours(study.recipes)
        seeds = sum(len(block.repetitions) for block in self.plan.blocks[study.name])
        trained = [recipe for recipe in study.recipes if recipe.data["budget"]["epochs"]]
        return Row(
            study=study.name,
            networks=len(study.recipes) * seeds,
            hours=None if study.trains_inside or (unknown and not hours) else round(hours * seeds, 2),
            unknown=unknown * seeds,
            measured=bool(trained) and all(map(self.estimator.is_measured, trained)),
            trains_inside=study.trains_inside,
            worlds=sorted({plug_name(root_world(cell.recipe)) for cell in study.cells}),
            setting=study.stand_ins.setting,
            stand_ins=study.stand_ins.replaced,
            kept=study.stand_ins.kept,
        )

    def as_json(self, name: str) -> dict[str, Any]:
        """All of it as plain data."""
        networks, hours, unknown = self.total()
        return {
            "scale": name,
            "networks": networks,
            "jobs": len(self.plan.bundles),
            "hours": hours,
            "unknown": unknown,
            "unit": self.unit,
            "basis": self.basis,
            "studies": [asdict(row) for row in self.rows()],
        }

    @property
    def unit(self) -> str:
        return "GPU hours" if self.scale.job.gpus else "hours"

    @property
    def basis(self) -> str:
        """What the hours rest on, in a sentence."""
        table = self.estimator.table
        measured = ", ".join(f"{model} at {size} px" for model, size in sorted(self.estimator.measured))
        here = f"measured by trainings here ({measured})" if measured else ""
        published = f"published speeds on an {table.gpu}, config/throughputs.yaml" if self.scale.job.gpus else ""
        return f"Estimates, from {'; else '.join(filter(None, (here, published))) or 'nothing yet: no network is trained'}."

    def lines(self, name: str) -> list[str]:
        """The plan as a table to print."""
        rows = self.rows()
        last = "all, each network once"
        width = max(len(last), *(len(row.study) for row in rows))

        def line(name: str, networks: object, hours: str, text: str) -> str:
            return f"{name:{width}}  {networks:>8}  {hours:>9}  {text}"

        networks, hours, unknown = self.total()
        return [
            line(f"scale {name}", "networks", self.unit, "data and models"),
            *(line(row.study, row.networks, _amount(row.hours, row.unknown), _data(row)) for row in rows),
            line(last, networks, _amount(hours, unknown), f"{len(self.plan.bundles):,} training jobs"),
            f"{self.basis} Measuring and time in a queue come on top.",
        ]


def _amount(hours: float | None, unknown: int) -> str:
    if hours is None:
        return "unknown"
    return ("> " if unknown else "") + (f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}")


def _data(row: Row) -> str:
    if row.kept:
        return f"keeps {row.kept}" + ("; trains while measuring" if row.trains_inside else "")
    if row.setting:
        return f"{row.setting}: " + ", ".join(f"{small} -> {large}" for small, large in row.stand_ins.items())
    return ", ".join(row.worlds)
