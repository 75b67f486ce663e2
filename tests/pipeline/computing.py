"""Studies computed in this process as their jobs compute them, at the scale ci."""

import json
from pathlib import Path

import torch

from assay.evidence.cards import worlds_of, write_card
from assay.judging.judging import write_verdicts
from assay.language.study import Study
from assay.networks.jobs import pin_threads, train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline.measurement import measure_block
from assay.pipeline.sources import Sources


class Computed:
    """What came of the chosen studies below `results`."""

    def __init__(self, studies: dict[str, Study], results: Path):
        self.studies, self.results = studies, results
        pin_threads(1)
        self.failed = {name: line for name, study in studies.items() if (line := self._failure(study))}
        for name, spec in worlds_of(studies.values()).items():
            write_card(spec, results / "worlds" / name)
        write_verdicts([json.loads(study.judgement) for study in studies.values()], self.sources, "ci", results)
        self.verdicts = json.loads((results / "verdicts.json").read_text())

    @property
    def sources(self) -> Sources:
        return Sources.read(self.results)

    def _failure(self, study: Study) -> str:
        """Train and measure a study as jobs do; the line that one of them would leave, so that all are tried."""
        store = NetworkStore(self.results / "networks", torch.device("cpu"))
        try:
            for block in study.blocks:
                manifest = store.folder / f"{study.name}-{block.name}.json"
                train_bundle(study.recipes, block.repetitions, store, manifest, _quietly)
                measure_block(study, block, store, self.sources.folder(study.name, block), say=_quietly)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""


def _quietly(line: str) -> None:
    pass
