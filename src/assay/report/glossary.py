"""The report's own words: each explained once, on a page that the others lead to where they first use one."""

from functools import partial

from jinja2 import Environment
from markupsafe import Markup, escape

from assay.report.parts import Part

TERMS = {
    "arm": (
        "One way to do things in a study: how its network comes to be, and how that is measured. Arms differ in what is "
        "compared and are equal in all else, random draws included."
    ),
    "archive": (
        "Evidence that is kept with the repository, block by block, each file under a checksum. A report can be drawn "
        "from it without training anything."
    ),
    "baseline": "The arm that the others of a study are described against.",
    "claim": (
        "One comparison that a paper's text implies, written down before the draws that are judged: one arm above "
        "another, a value above a number, or two arms as good as equal. It holds, fails, or is open."
    ),
    "control": (
        "A condition under which the instrument is known to work, such as a baseline above chance. Where one fails, the "
        "study is invalid and claims nothing."
    ),
    "draw": (
        "All that is random in one repetition: images, initial weights, order, augmentation. Designs are made on trial "
        "draws, verdicts rest on judged ones, which are made once."
    ),
    "effect": "What a claim is about, in the metric's unit: the mean over seeds of the difference within a seed.",
    "evidence": (
        "What was measured, seed by seed, with its provenance. It is fresh if study, data and code are those it was made "
        "with, unproven if the code changed since and nobody has shown that it computes the same, stale if study or data "
        "changed."
    ),
    "interval": (
        "Where the effect lies with 95% confidence by Student's t over seeds. It is the data's own, not corrected for "
        "looks or for the number of claims."
    ),
    "look": (
        "A time at which the seeds so far are judged: at 5, 10, 20, 40 and so on. Each later look costs part of the error "
        "rate, so that looking often makes no false finding likelier."
    ),
    "margin": "The smallest effect that counts, set before the judged run. Below it, a difference counts as none.",
    "open": "Neither shown to hold nor to fail with the seeds there are. The interval says what is known.",
    "P and q": (
        "P is the p-value of a word, corrected for looks. q is P corrected for all claims released: where words are given "
        "up to q = 0.05, at most 5% of them are wrong on average."
    ),
    "plug": (
        "A method in a file of its own: a world, model, objective, optimizer, augmentation, metric, attack and so on. "
        "Studies name plugs, and each page says which tests vouch for one."
    ),
    "protocol": "What is done with a study's networks to measure them, and the metrics that come out.",
    "recipe": (
        "All that decides how one network comes to be, as data: world, model, objective, optimizer, budget. Equal recipes "
        "are one network, which is trained once for all studies."
    ),
    "release": "What is archived of all studies together, with the words that follow. Corrections run over its claims.",
    "scale": "How large everything is: images, training sets, epochs, seeds of a first look. Studies never mention a size.",
    "seed": "The number of a repetition. Within one, all arms share their draws, so that differences are paired.",
    "study": "One paper's question put to a test: data, arms, measurement and claims, in one file.",
    "verdict": (
        "A study's word, which follows from its claims and controls: supported, partly, not supported, open, or invalid."
    ),
    "world": "Where images and labels come from, with every factor that made them known or at least named.",
}


def place(term: str) -> str:
    """A term's place on the page."""
    return term.replace(" ", "-").lower()


def term(name: str, root: str = "", shown: str = "") -> Markup:
    """A link to what a term means, in the page's own words if `shown` has them; KeyError for a term that is not explained."""
    TERMS[name]
    return Markup('<a class="term" href="{}glossary.html#{}">{}</a>').format(root, place(name), escape(shown or name))


def glossary_part(templates: Environment) -> Part:
    """glossary.html."""
    return Part("glossary", {"terms": TERMS}, partial(glossary_files, templates))


def glossary_files(templates: Environment, terms: dict[str, str]) -> dict[str, str]:
    """The page by its path in the report."""
    explained = [(place(name), name, text) for name, text in sorted(terms.items(), key=lambda item: item[0].lower())]
    return {"glossary.html": templates.get_template("glossary.html").render(terms=explained)}
