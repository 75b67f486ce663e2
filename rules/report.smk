"""Report: a figure a study, and the pages, from observations and verdicts alone."""

from pathlib import Path

from assay.language.inputs import shown
from assay.language.plugs import everything
from assay.language.recipes import canonical
from assay.overview.coverage import other_scales, said_of, vouches
from assay.overview.elsewhere import elsewhere
from assay.provenance.fingerprints import digest
from assay.storage.places import PROJECT


rule figure:
    input:
        lambda wildcards: expand(
            f"{RESULTS}/observations/{wildcards.study}/{{block}}/provenance.json",
            block=[place.block.name for place in SOURCES.places[wildcards.study] if place.where != "archive"],
        ),
    output:
        marked(f"{RESULTS}/figures/{{study}}.svg", None, "figure", "figure"),
    log:
        f"{RESULTS}/logs/figure/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure/{{study}}.tsv"
    conda:
        "../envs/environment.yaml"
    params:
        figures=lambda wildcards: figure_texts([wildcards.study]),
        archived=lambda wildcards: archived_lines([wildcards.study]),
        code=lambda wildcards: figure_code("assay.report.figure", [wildcards.study]),
        scale=CONFIG.scale,
    message:
        "draw {wildcards.study}"
    script:
        "../workflow/scripts/figure.py"


if ARCHIVED:

    ruleorder: archived_figures > figure


rule archived_figures:
    # All at once: evidence that is there costs less to draw than processes cost to start.
    output:
        [marked(f"{RESULTS}/figures/{study}.svg", study, "figure", "figure") for study in ARCHIVED],
    log:
        f"{RESULTS}/logs/archived_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/archived_figures.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 4
    params:
        figures=figure_texts(ARCHIVED),
        archived=archived_lines(ARCHIVED),
        code=figure_code("assay.report.figure", ARCHIVED),
        scale=CONFIG.scale,
    message:
        "draw figures"
    script:
        "../workflow/scripts/figure.py"


rule figures:
    input:
        f"{RESULTS}/verdicts.json",
        expand(f"{RESULTS}/figures/{{study}}.svg", study=SOURCES.shown),
        styles=[own("report/figures.mplstyle"), own("report/paper.mplstyle")],
    output:
        expand(f"{RESULTS}/paper/{{study}}{{end}}", study=SOURCES.shown, end=PAPER),
        [marked(f"{RESULTS}/paper/{study}-tables.html", study, "tables", "tables") for study in SOURCES.shown],
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 4
    params:
        figures=figure_texts(SOURCES.shown),
        code=figure_code("assay.report.paper", SOURCES.shown),
        scale=CONFIG.scale,
    message:
        "draw figures and tables for papers"
    script:
        "../workflow/scripts/paper.py"


rule report:
    input:
        verdicts=f"{RESULTS}/verdicts.json",
        figures=expand(f"{RESULTS}/figures/{{study}}.svg", study=SOURCES.shown),
        worlds=expand(f"{RESULTS}/worlds/{{world}}/card.json", world=WORLDS),
        rechecks=expand(f"{RESULTS}/recheck/{{again}}/agreement.json", again=RECHECKED),
        catalogue=[own("config/papers.json"), own("config/references.json")],
        tables=sorted(shown(path) for path in (PROJECT / "docs/data").glob("*.csv")),
        trials=sorted(shown(path) for path in (PROJECT / "config/frozen").glob("*/*.json")),
        bars=[path for path in [own("bench/bars.json")] if Path(path).exists()],
        templates=sorted(shown(path) for path in (PROJECT / "report").rglob("*") if path.is_file()),
    output:
        f"{RESULTS}/report/manifest.json",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../envs/environment.yaml"
    params:
        texts=digest({study.name: study.text for study in STUDIES.values()}),
        evidence=evidence_lines(STUDIES),
        tests=lambda wildcards: digest({"vouches": str(vouches(PROJECT / "tests"))}),
        plugs=lambda wildcards: digest({plug.module: said_of(plug) for plug in everything()}),
        scales=lambda wildcards: canonical({study.name: other_scales(study) for study in STUDIES.values()}),
        elsewhere=lambda wildcards: digest({study.name: repr(elsewhere(study)) for study in STUDIES.values()} | LEFT_OUT),
        archive=digest({key: entry.line for key, entry in ENTRIES.items()}),
        code=code_behind("assay.report.reporting"),
        scale=CONFIG.scale,
    message:
        "write the report"
    script:
        "../workflow/scripts/report.py"
