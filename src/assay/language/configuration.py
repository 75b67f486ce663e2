"""What `snakemake` was asked to run: config/config.yaml with what the command line overrides."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from assay.errors import StudyError, unknown
from assay.language.draws import JUDGED, NAME
from assay.language.inputs import parse, read_yaml
from assay.language.scales import load_scale, scales
from assay.language.studies import study_paths
from assay.storage.places import WORK, config_of


class Config(BaseModel):
    """The keys of config/config.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: str = Field("laptop", description="a file in config/scales/")
    studies: str | list[str] = Field("all", description="all, a study's name or a list of names")
    recheck: Annotated[float, Field(ge=0, allow_inf_nan=False)] | str | list[str] = Field(
        3.0, description="core minutes in which archived studies are computed again, or the names of such studies; 0 for none"
    )
    draws: str = Field(
        JUDGED,
        pattern=f"^{NAME}$",
        description="judged, which verdicts rest on; any other name makes trial draws, below results/<scale>-<name>",
    )
    evidence: Literal["auto", "recomputed", "archive"] = Field(
        "auto",
        description="auto starts from fresh archived evidence and computes the rest, recomputed takes nothing from the archive,"
        " archive computes nothing",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes the GPU if there is one")

    datasets: str = Field(
        "datasets", min_length=1, description="the folder of real data sets; the variable ASSAY_DATASETS goes before it"
    )

    @field_validator("draws", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """On a command line, a name of digits is a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("studies", "recheck", mode="before")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        """Nothing behind the equals sign of a command line names no study."""
        return [] if value is None else value

    @field_validator("studies", "recheck")
    @classmethod
    def _listed(cls, value: str | list[str] | float) -> str | list[str] | float:
        return [value] if isinstance(value, str) and value != "all" else value

    @property
    def results(self) -> str:
        """The folder that everything of this run goes to."""
        return f"results/archive/{self.scale}" if self.evidence == "archive" else results_folder(self.scale, self.draws)

    @property
    def gpus(self) -> int:
        """GPUs a training or measuring job asks the scheduler for."""
        return int(self.device == "cuda")


def results_folder(scale: str, draws: str = JUDGED) -> str:
    """Where results at a scale lie, from the project's root."""
    return f"results/{scale}" if draws == JUDGED else f"results/{scale}-{draws}"


def load_config(given: dict, root: Path = WORK) -> Config:
    """Check the configuration, as given and in its file; StudyError names the key, the value seen and the values allowed."""
    folder = config_of(root)
    path = folder / "config.yaml"
    if path.exists():
        read_yaml(path)  # the reader that merges it with what is given lets the last of two equal keys win
    config = parse(Config, dict(given), path)
    names = study_paths(folder)
    for key in ("studies", "recheck"):
        _check_names(key, getattr(config, key), names)
    load_scale(config.scale, folder)
    _check_draws(config, scales(folder))
    return config


def _check_names(key: str, value: str | list[str] | float, names: Collection[str]) -> None:
    if value == []:
        raise StudyError(f"config: {key}: [] names no study; name some, for example '{key}=[mixup]', or leave it out")
    for name in value if isinstance(value, list) else []:
        if name not in names:
            raise StudyError(f"config: {key}: {unknown('study', name, names)}")


def refuse_two_configs(command: Sequence[str]) -> None:
    """StudyError for a command of Snakemake that says --config twice: the second replaces the first without a word."""
    given = [word for word in command if word in ("--config", "-C") or word.startswith("--config=")]
    if len(given) > 1:
        raise StudyError("--config is given twice, and the second replaces the first; write --config scale=ci device=cpu")


def _check_draws(config: Config, names: list[str]) -> None:
    """StudyError for trial draws of the archive, which has none, and for a name whose folder would lie in another scale's: with
    scales `a` and `a-b`, the draws `b-c` at `a` and `c` at `a-b` would share one."""
    if config.draws == JUDGED:
        return
    if config.evidence == "archive":
        raise StudyError(f"config: draws: '{config.draws}': trial draws are not archived; leave out evidence=archive or draws")
    for other in names:
        if other.startswith(f"{config.scale}-") and f"{config.scale}-{config.draws}-".startswith(f"{other}-"):
            raise StudyError(f"config: draws: '{config.draws}': {config.results} belongs to scale '{other}'; choose another name")
