"""A good study, to be changed."""

from pathlib import Path

import yaml

from assay.language.scales import load_scale
from assay.language.studies import compile_study
from assay.language.study import Study

GOOD = {
    "paper": "P166",
    "question": "Does it help?",
    "base": {"world": {"shapes": {"label_noise": 0.4}}, "model": "resnet"},
    "arms": {"erm": {}, "mixup": {"augment": {"mixup": {"alpha": 1.0}}}},
    "protocol": "classify",
    "controls": ["erm.top1 > 0.3"],
    "expect": ["mixup.top1 > erm.top1"],
}


def compiled(folder: Path, scale: str = "laptop", **changes) -> Study:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return compile_study(path, scale, load_scale(scale))
