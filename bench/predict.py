"""What the judge will probably say of the studies at their next looks, from what trials said of their effects.

    python bench/predict.py            claims and papers by word at 5, 10 and 20 seeds, means of 200 simulated reports

Every claim's effect is drawn about the mean that its trial saw, which is itself uncertain, with the spread that seeds had there;
looks at earlier texts are charged, and claims that were dropped since count. Controls are taken to pass. Reads config/frozen.
"""

import argparse
from collections import Counter

import numpy as np

from assay.errors import AssayError
from assay.judging.claims import Claims, corrected, p_values
from assay.judging.families import Family, Member
from assay.language.expectations import parse
from assay.language.frozen import Frozen, record_of
from assay.language.studies import load_studies
from assay.language.study import Study

LOOKS = (5, 10, 20)
REPORTS = 200


def tried(study: Study) -> Frozen:
    """The record of the study's present text; AssayError if there is none."""
    if (record := record_of(study)) is None:
        raise AssayError(f"{study.name}: not frozen; run: assay freeze {study.name}")
    return record


def simulated(study: Study, record: Frozen, seeds: int, rng: np.random.Generator) -> Member:
    """The study as a member of its family after so many seeds of one simulated report."""
    lower, upper, equivalent, effects = [], [], [], []
    for claim, expectation in zip(record.claims, map(parse, study.file.expect), strict=True):
        is_equivalence = expectation.kind == "equivalence"
        equivalent.append(is_equivalence)
        lower.append(expectation.lower if is_equivalence else -claim.margin)
        upper.append(expectation.upper if is_equivalence else claim.margin)
        true = rng.normal(claim.mean, claim.deviation / len(record.seeds) ** 0.5)
        effects.append(rng.normal(true, claim.deviation, seeds))
    values = np.array(effects)
    exact, varied = np.zeros(values.shape), np.zeros(values.shape, bool)
    claims = Claims(values, np.array(lower), np.array(upper), np.array(equivalent), exact, varied)
    return Member(corrected(p_values(claims, study.first_look), study.earlier), np.ones((4, 0)))


def predict(studies: dict[str, Study], seeds: int) -> tuple[Counter, Counter]:
    """Mean counts of the words of claims and of papers over simulated reports."""
    found = {name: tried(study) for name, study in studies.items()}
    claims, papers = Counter(), Counter()
    for report in range(REPORTS):
        rng = np.random.default_rng([report, seeds])
        family = Family({name: simulated(study, found[name], seeds, rng) for name, study in studies.items()})
        for name in studies:
            conclusion = family.conclusion(name)
            papers[conclusion.word] += 1 / REPORTS
            for verdict in conclusion.claims:
                claims[verdict.word] += 1 / REPORTS
    return claims, papers


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    studies = load_studies("laptop")
    for seeds in LOOKS:
        claims, papers = predict(studies, seeds)
        for kind, words in (("claims", claims), ("papers", papers)):
            print(f"{seeds:2} seeds, {kind}: " + ", ".join(f"{count:.0f} {word}" for word, count in words.most_common()))


if __name__ == "__main__":
    main()
