"""Report: a figure a study, and the pages, from observations and verdicts alone."""

from assay.overview.coverage import other_scales, said_of, vouches
from assay.storage.files import sha256
from assay.language.plugs import everything


PAPER = (".pdf", ".svg", "-means.tex", "-means.csv", "-verdict.tex", "-verdict.csv")


def labels_in_report(study, what):
    """What Snakemake's own report says of a file; it asks after the run, when the verdicts are there."""
    path = Path(RESULTS, "verdicts.json")
    judged = json.loads(path.read_text())["studies"] if path.exists() else {}
    verdict = judged[study]["verdict"] if study in judged else "not judged"
    return {"study": study, "family": STUDIES[study].family, "verdict": verdict, "shows": what}


def tables(study):
    """The page of a study's tables, marked for Snakemake's own report."""
    return report(
        f"{RESULTS}/paper/{study}-tables.html",
        caption="../report/captions/tables.rst",
        category=STUDIES[study].family,
        # A function, since verdicts are not known before the run; without wildcards, since one job makes the files of all studies.
        labels=lambda wildcards: labels_in_report(study, "tables"),
    )


def drawn(study):
    """A study's figure, marked for Snakemake's own report."""
    return report(
        f"{RESULTS}/figures/{study}.svg",
        caption="../report/captions/figure.rst",
        category=STUDIES[study].family,
        labels=lambda wildcards: labels_in_report(study, "figure"),
    )


rule figure:
    input:
        RESULTS + "/observations/{study}/provenance.json",
    output:
        report(
            RESULTS + "/figures/{study}.svg",
            caption="../report/captions/figure.rst",
            category=lambda wildcards: STUDIES[wildcards.study].family,
            labels=lambda wildcards: labels_in_report(wildcards.study, "figure"),
        ),
    params:
        figure=lambda wildcards: canonical(STUDIES[wildcards.study].figure),
        code=lambda wildcards: code_behind("assay.report.figure", {f"figures/{name}" for name in STUDIES[wildcards.study].figure}),
        scale=CONFIG.scale,
    log:
        RESULTS + "/logs/figure/{study}.log",
    benchmark:
        RESULTS + "/benchmarks/figure/{study}.tsv"
    message:
        "draw {wildcards.study}"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/figure.py"


if CONFIG.evidence == "archive":

    ruleorder: archived_figures > figure

    rule archived_figures:
        # All at once: evidence that is there costs less to draw than processes cost to start.
        input:
            expand(RESULTS + "/observations/{study}/provenance.json", study=STUDIES),
        output:
            [drawn(study) for study in STUDIES],
        params:
            figures={study.name: canonical(study.figure) for study in STUDIES.values()},
            studies=list(STUDIES),
            code=code_behind("assay.report.figure", {f"figures/{name}" for study in STUDIES.values() for name in study.figure}),
            scale=CONFIG.scale,
        threads: 4
        log:
            RESULTS + "/logs/archived_figures.log",
        benchmark:
            RESULTS + "/benchmarks/archived_figures.tsv"
        localrule: True
        message:
            "draw figures"
        conda:
            "../envs/environment.yaml"
        script:
            "../workflow/scripts/archived_figures.py"


rule figures:
    input:
        RESULTS + "/verdicts.json",
        expand(RESULTS + "/figures/{study}.svg", study=STUDIES),
        styles=[own("report/figures.mplstyle"), own("report/paper.mplstyle")],
    output:
        expand(RESULTS + "/paper/{study}{end}", study=STUDIES, end=PAPER),
        [tables(study) for study in STUDIES],
    params:
        figures={study.name: canonical(study.figure) for study in STUDIES.values()},
        studies=list(STUDIES),
        code=code_behind("assay.report.paper", {f"figures/{name}" for study in STUDIES.values() for name in study.figure}),
        scale=CONFIG.scale,
    threads: 4
    log:
        RESULTS + "/logs/figures.log",
    benchmark:
        RESULTS + "/benchmarks/figures.tsv"
    message:
        "draw figures and tables for papers"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/paper.py"


rule report:
    input:
        verdicts=RESULTS + "/verdicts.json",
        figures=expand(RESULTS + "/figures/{study}.svg", study=STUDIES),
        worlds=expand(RESULTS + "/worlds/{world}/card.json", world=WORLDS),
        catalogue=own("config/papers.json"),
        tables=sorted(shown(path) for path in (PROJECT / "docs/data").glob("*.csv")),
        templates=sorted(shown(path) for path in (PROJECT / "report").rglob("*") if path.is_file()),
    output:
        RESULTS + "/report/manifest.json",
    params:
        texts=digest({study.name: study.text for study in STUDIES.values()}),
        tests=lambda wildcards: digest({"vouches": str(vouches(PROJECT / "tests"))}),
        plugs=lambda wildcards: digest({plug.module: said_of(plug) for plug in everything()}),
        scales=lambda wildcards: {study.name: other_scales(study) for study in STUDIES.values()},
        studies=list(STUDIES),
        archive=sha256(Path("archive.sha256")) if archiving.exists() else None,
        code=code_behind("assay.report.reporting"),
        scale=CONFIG.scale,
    log:
        RESULTS + "/logs/report.log",
    benchmark:
        RESULTS + "/benchmarks/report.tsv"
    message:
        "write the report"
    conda:
        "../envs/environment.yaml"
    script:
        "../workflow/scripts/report.py"
