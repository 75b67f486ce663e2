"""What `snakemake` was asked to run: config/config.yaml with what the command line overrides."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import StudyError, unknown
from assay.language.inputs import parse
from assay.language.scales import load_scale
from assay.language.studies import study_paths
from assay.storage.places import PROJECT


class Config(BaseModel):
    """The keys of config/config.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: str = Field("laptop", description="a file in config/scales/")
    studies: Literal["all"] | list[str] = Field("all", description="all, or a list of study names")
    evidence: Literal["recomputed", "archive"] = Field(
        "recomputed", description="archive draws and judges the archived evidence, and trains nothing"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes the GPU if there is one")

    datasets: str = Field("datasets", description="the folder of real data sets; the variable ASSAY_DATASETS goes before it")

    @property
    def results(self) -> str:
        """The folder that everything of this run goes to."""
        return f"results/archive/{self.scale}" if self.evidence == "archive" else f"results/{self.scale}"

    @property
    def gpus(self) -> int:
        """GPUs a training or measuring job asks the scheduler for."""
        return int(self.device == "cuda")


def load_config(given: dict, root: Path = PROJECT) -> Config:
    """Check the configuration; StudyError names the key, the value seen and the values allowed."""
    path = root / "config" / "config.yaml"
    config = parse(Config, dict(given), path)
    names = study_paths(root / "config")
    for name in [] if config.studies == "all" else config.studies:
        if name not in names:
            raise StudyError(f"config: studies: {unknown('study', name, names)}")
    load_scale(config.scale, root / "config")
    return config
