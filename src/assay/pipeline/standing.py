"""What evidence says of studies now, by the archive and by what lies here, where nothing is computed."""

import json
from collections.abc import Mapping
from pathlib import Path

from assay.artifacts.archiving import pull
from assay.judging.judging import judge_results
from assay.judging.release import Release
from assay.language.configuration import results_folder
from assay.language.study import Study
from assay.pipeline.deciding import sources_now
from assay.storage.places import WORK


def verdicts_now(studies: Mapping[str, Study], scale: str, root: Path = WORK) -> dict[str, dict]:
    """The record of each study that has evidence, as verdicts.json would hold it. Archived blocks are pulled."""
    sources = sources_now(studies, root / results_folder(scale), root)
    if keys := [place.key for name in sources.shown for place in sources.places[name] if place.where == "archive"]:
        pull(keys=keys, root=root)
    judgements = [json.loads(studies[name].judgement) for name in sources.shown]
    return judge_results(judgements, sources, Release.at(scale, root))["studies"]
