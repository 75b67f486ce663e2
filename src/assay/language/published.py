"""Numbers that papers print, kept beside the study that asks the same question, and shown beside its own where both agree on data
and model.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import EvidenceError
from assay.language import expectations


class PublishedNumber(BaseModel):
    """One number of the paper, as a study file has it under `published`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str = Field(description="what it is of: an expression such as mixup.top1 or softmax.top1 - svm.top1")
    value: float = Field(allow_inf_nan=False, description="the number, in the metric's unit")
    source: str = Field(min_length=1, description="where the paper prints it, such as table 2")
    setting: str = Field(min_length=1, description="what it was obtained with, in words: data, model, budget")
    same_as: dict[Literal["world", "model"], Any] | None = Field(
        None, description="the paper's own world and model as plugs, if the project has them; what is not given is at its default"
    )

    @property
    def expression(self) -> expectations.Expectation:
        """The metric, parsed; StudyError if it is no expression over arm.metric."""
        return expectations.parse(f"({self.metric}) > 0")

    def check(self, arms: Collection[str], metrics: Collection[str]) -> None:
        """StudyError if it reads an arm or a metric that is not among these."""
        self.expression.check(arms, metrics)


@dataclass(frozen=True)
class Published:
    """A published number in a compiled study. reproduced: whether the study, at its scale, has the paper's world and model."""

    number: PublishedNumber
    reproduced: bool

    def measured(self, tables: Mapping[int, expectations.Table]) -> float | None:
        """The study's own number, mean over seeds; None where a value is missing."""
        try:
            return fmean(self.number.expression.measured(table) for table in tables.values())
        except EvidenceError:
            return None
