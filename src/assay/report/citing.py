"""How a paper and its verdict are cited: BibTeX for both."""

from assay.language.references import Reference, bibtex, plain
from assay.report.page import Page


def verdict_entry(page: Page, scale: str) -> str:
    """The BibTeX entry of a study's verdict: its word, where it was released, and what it rests on."""
    study, verdict, provenance = page.study, page.verdict, page.provenance
    release = f"archive of {study.release}" if study.release else "not archived"
    fields = {
        "title": f"{{Verdict on ``{plain(page.paper.title)}'': {verdict['word']} ({plain(verdict['count'])})}}",
        "author": "{The assay authors}",
        "year": provenance["date"][:4],
        "howpublished": f"assay, study {plain(study.name)}, scale {plain(scale)}, {verdict['seeds']} seeds",
        "note": f"{plain(release)}; measured at commit {provenance['commit'] or 'none'}; "
        f"observations sha256 {provenance['sha256']}",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{assay-{study.name},\n{lines}\n}}"


def entries(page: Page, reference: Reference, scale: str) -> list[tuple[str, str]]:
    """(what it is of, entry): of the paper, and of the verdict where there is one."""
    found = [("The paper", bibtex(page.paper.id, page.paper.title, reference))]
    return [*found, ("The verdict", verdict_entry(page, scale))] if page.verdict.get("word") else found
