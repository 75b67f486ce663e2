"""From a study's trial to the record that is committed before the study is judged (assay.language.frozen)."""

from collections.abc import Callable
from pathlib import Path

from assay.errors import EvidenceError, StudyError
from assay.evidence.freshness import FRESH, freshness
from assay.evidence.tables import Evidence, read_blocks
from assay.judging.verdicts import sampled, tabulate
from assay.language.configuration import results_folder
from assay.language.draws import JUDGED, checked, drawing, made_under
from assay.language.expectations import Table, margin_of, parse
from assay.language.frozen import Accuracy, Claim, Frozen
from assay.language.scales import load_scale, scales
from assay.language.study import Study
from assay.storage.places import WORK, config_of

DIGITS = 6  # significant ones in a record


def freeze(study: Study, draws: str, say: Callable[[str], None] = print, root: Path = WORK) -> Frozen:
    """The record of a study's trial.

    Trains its networks once more at twice the epochs, with all they are made from, in the first two repetitions, and measures
    them: of five repetitions, four fifths of the trial's training. Networks of the trial are read where they lie, and trained
    where they do not.
    Raises StudyError for the judged draws and for a scale from which no spread can be told, EvidenceError for a trial that is
    missing, stale or incomplete.
    """
    if checked(draws, "--draws") == JUDGED:
        raise StudyError(f"--draws: '{JUDGED}' are what the frozen study will be judged on; name the draws it was tried on")
    if not load_scale(study.scale, config_of(root)).conclusive or study.first_look < 2:
        names = [name for name in scales(config_of(root)) if load_scale(name, config_of(root)).conclusive]
        raise StudyError(f"--scale: no spread can be told from '{study.scale}' (allowed: {', '.join(names)})")
    study, results = study.tried, root / results_folder(study.scale, draws)
    evidence = _trial(study, draws, results)
    tables = tabulate(row._asdict() for row in evidence.observations)
    accuracy, left_out = _accuracies(study, draws, results, root, say)
    return Frozen(
        study=study.name,
        scale=study.scale,
        judged_sha256=study.judged_digest,
        draws=draws,
        seeds=list(range(study.seeds)),
        claims=claims(study, tables, _longer(study, draws, results, root, say)),
        accuracy=accuracy,
        left_out=left_out,
    )


def _trial(study: Study, draws: str, results: Path) -> Evidence:
    """The evidence of the trial: of the present text and code, of these draws, with every seed."""
    again = f"run: snakemake --config draws={draws} scale={study.scale} 'studies=[{study.name}]'"
    folders = [results / "observations" / study.name / block.name for block in study.blocks]
    if not all(folder.exists() for folder in folders):
        raise EvidenceError(f"{study.name}: no trial in {results_folder(study.scale, draws)}, or one that is not whole; {again}")
    evidence = read_blocks(folders)
    if made_under(evidence.provenance) != draws:
        raise EvidenceError(f"{study.name}: its trial is of other draws ('{made_under(evidence.provenance)}'); {again}")
    state = freshness(study, evidence.provenance)
    if state.word != FRESH:
        raise EvidenceError(f"{study.name}: its trial is {state.word}: {state.reasons[0]}; {again}")
    if missing := set(range(study.seeds)) - {row.seed for row in evidence.observations}:
        raise EvidenceError(f"{study.name}: its trial lacks seed {min(missing)} of {study.seeds}; {again}")
    return evidence


def claims(study: Study, tables: dict[int, Table], longer: dict[int, Table] | None = None) -> list[Claim]:
    """Mean and spread of every expectation's effect over the seeds, with its margin; for an equivalence, half of its width.

    longer: tables of the first seeds with every network trained for twice the epochs, if there are any.
    """
    found, same = [], {seed: tables[seed] for seed in longer or ()}
    for expectation in map(parse, study.file.expect):
        sample = sampled(expectation, tables, effects=True)
        half_width = (expectation.upper - expectation.lower) / 2
        margin = half_width if expectation.kind == "equivalence" else margin_of(expectation, study.file.margin)
        claim = Claim(text=expectation.text, mean=_short(sample.mean), deviation=_short(sample.spread), margin=_short(margin))
        if longer:
            once, twice = (_short(sampled(expectation, part, effects=True).mean) for part in (same, longer))
            claim = claim.model_copy(update={"once": once, "twice": twice, "repetitions": len(longer)})
        found.append(claim)
    return found


def _accuracies(
    study: Study, draws: str, results: Path, root: Path, say: Callable[[str], None]
) -> tuple[dict[str, Accuracy], dict[str, str]]:
    from assay.measuring.budgets import accuracy_by_budget, chosen

    networks, left_out = chosen(study)
    scale = load_scale(study.scale, config_of(root))
    with drawing(draws):
        found = accuracy_by_budget(
            study.name, networks, study.blocks, results / "networks", scale.job.threads, scale.precision, say
        )
    left_out |= {name: "its outputs are no logits of the classes" for name, values in found.items() if values is None}
    return {name: Accuracy(**{k: _short(v) for k, v in values.items()}) for name, values in found.items() if values}, left_out


def _longer(study: Study, draws: str, results: Path, root: Path, say: Callable[[str], None]) -> dict[int, Table] | None:
    """Tables of the first repetitions at twice the epochs; None for a study that trains nothing."""
    from assay.measuring.budgets import observed_at_twice

    scale = load_scale(study.scale, config_of(root))
    with drawing(draws):
        rows = observed_at_twice(study, results / "networks", scale.job.threads, scale.precision, say)
    return None if rows is None else tabulate(row._asdict() for row in rows)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
