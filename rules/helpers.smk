"""What rules share: the files they read, the texts that are compared between runs, what a job asks for, marks for reports."""

import json
import math
from pathlib import Path

from assay import datasets
from assay.language.inputs import shown
from assay.language.recipes import canonical
from assay.provenance.fingerprints import digest, fingerprint
from assay.storage.files import sha256
from assay.storage.places import PROJECT


def own(path):
    """One of the project's own files, wherever it lies; in a checkout by its path from there."""
    return shown(PROJECT / path)


def materials(*data):
    """The markers of the data sets that canonical data read."""
    return [shown(datasets.marker(name)) for name in datasets.needed(data)]


def manifests(recipes, block):
    """The manifests of the jobs that train these recipes at a block."""
    return [f"{RESULTS}/networks/{bundle}.json" for bundle in PLAN.needs(recipes, block)]


def block_of(wildcards):
    """The study and the block that a job measures, or measures again."""
    return BLOCKS_AGAIN[wildcards.again] if "again" in wildcards.keys() else BLOCKS[wildcards.part]


def study_of(wildcards):
    """The study that a job measures a block of."""
    return STUDIES[block_of(wildcards)[0]]


def evidence_lines(studies):
    """What is made of these studies rests on beyond the files it reads: which archived blocks count, and how evidence stands."""
    return canonical(
        {
            study: [[p.block.name, p.where == "archive", p.word, p.reasons, p.key and p.sha256] for p in SOURCES.places[study]]
            for study in studies
        }
    )


def archived_lines(studies):
    """Which archived blocks these studies' figures are drawn from; how fresh they are is no figure's business."""
    return canonical(
        {study: [[p.block.name, p.sha256] for p in SOURCES.places[study] if p.where == "archive"] for study in studies}
    )


def code_behind(module, plugs=()):
    """One hash over the source of a module, these plugs, and everything they import."""
    return digest(fingerprint(module, plugs))


def figure_code(module, studies):
    """A hash over the source of a module that draws figures, and over their styles, by these studies' figure plugs, as text."""
    styles = {path.name: sha256(path) for path in sorted((PROJECT / "report").glob("*.*"))}
    plugs = dict.fromkeys(name for study in studies for name in STUDIES[study].figure)
    return canonical({name: digest(fingerprint(module, {f"figures/{name}"}) | styles) for name in plugs})


def figure_texts(studies):
    """What each study's figure shows beside evidence, as canonical text: the plug and its parameters, and how arms are set out."""
    return canonical({name: figure_text(STUDIES[name]) for name in studies})


def figure_text(study):
    return {"figure": study.figure, "baseline": study.baseline, "arms": list(study.file.arms)}


def name_params(every):
    """Give all rules one param more, a digest of their params, names with values. Snakemake compares values sorted and without
    their names, so two that change places would look as before."""
    for each in every:
        if each.params:
            each.set_params(named=named_values(dict(each.params.items())))


def named_values(params):
    """What `named` is of a job."""
    return lambda wildcards: digest({name: str(value(wildcards) if callable(value) else value) for name, value in params.items()})


def growing(amount, most=math.inf):
    """A resource that doubles with every try, up to the most; tries after the first happen where a profile sets `retries`.
    The amount of the first try is a number or a function of the wildcards."""

    def asked(wildcards, attempt):
        first = amount(wildcards) if callable(amount) else amount
        return min(most, round(first * 2 ** (attempt - 1)))

    return asked


def gpus(wanted):
    """GPUs a job asks for: those of the scale, or one where the configuration says cuda; none where it says cpu."""
    return 0 if CONFIG.device == "cpu" else max(CONFIG.gpus, wanted)


def labels_in_report(study, what):
    """What Snakemake's own report says of a file; it asks after the run, when the verdicts are there."""
    path = Path(RESULTS, "verdicts.json")
    judged = json.loads(path.read_text())["studies"] if path.exists() else {}
    verdict = judged[study]["word"] if study in judged else "not judged"
    return {"study": study, "family": STUDIES[study].family, "verdict": verdict, "shows": what}


def marked(path, study, what, caption):
    """A study's file, marked for Snakemake's own report. A rule whose wildcard is the study gives None for it."""

    def named(wildcards):
        return study or wildcards.study

    return report(
        path,
        caption=f"../report/captions/{caption}.rst",
        category=lambda wildcards: STUDIES[named(wildcards)].family,
        # A function, since verdicts are not known before the run.
        labels=lambda wildcards: labels_in_report(named(wildcards), what),
    )
