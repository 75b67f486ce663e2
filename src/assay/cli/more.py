"""`assay more`: next looks for open studies."""

import textwrap
from typing import Annotated

import typer

from assay.cli.common import AsJson, AtScale, in_one_line, of_studies, print_json
from assay.errors import StudyError
from assay.judging.prospects import MOST
from assay.language.inputs import shown
from assay.language.scales import load_scale
from assay.language.seeds import load_seeds, write_seeds
from assay.language.studies import study_paths
from assay.storage.places import require_project

commands = typer.Typer()
LINE = "{:28.28}  {:>12}  {:>4}  {:>6}  {:>6}  {:>8}  {:3}"


@commands.command()
@in_one_line
def more(
    studies: Annotated[list[str] | None, of_studies("Names of studies; all that are open if not given.")] = None,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="Core minutes to spend.")] = 30,
    scale: AtScale = "laptop",
    to: Annotated[int, typer.Option("--to", help="Seeds that no study gets beyond, nor a claim may need.")] = MOST,
    setting: Annotated[bool, typer.Option("--set", help="Write them to config/seeds/, for the next run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose next looks for open studies, best chance for each core second first, or set them.

    A look has twice the seeds of the one before. From the second one on, a study gets it if an open claim probably needs no more
    than --to seeds. Networks that several studies need count once. Costs are from records here or the archive's.
    """
    from assay.pipeline.further import further

    first_look = load_scale(scale).first_look
    if to < first_look:
        raise StudyError(f"--to: {to} is below the first look at scale {scale} ({first_look}); give that or more")
    offers = further(scale, minutes, to, studies or ())
    chosen = {offer.study: offer.to for offer in offers if offer.chosen}
    if setting and chosen:
        require_project("config/seeds/")
        path = write_seeds(scale, load_seeds(scale, first_look, study_paths()) | chosen, first_look)
    if as_json:
        print_json({"scale": scale, "set": setting, "offers": [offer.as_json() for offer in offers]})
        return
    for line in table(offers, scale, minutes):
        typer.echo(line)
    if chosen and setting:
        typer.echo(f"wrote {shown(path)}; commit it, then run: snakemake --config scale={scale}")
    elif chosen:
        typer.echo("nothing is set; to set them: the same command with --set")


def table(offers: list, scale: str, minutes: float) -> list[str]:
    """The offers as lines of at most 80 columns."""
    if not offers:
        return [f"scale {scale}: no study is open"]
    lines = [LINE.format(f"scale {scale}", "seeds", "open", "needs", "chance", "core min", "set").rstrip()]
    for offer in offers:
        needs = "never" if offer.needs is None else f"{offer.needs:,}" if offer.needs < 100_000 else "> 10^5"
        cost = "" if offer.why and not offer.core_seconds else f"{offer.core_seconds / 60:.1f}"
        row = (offer.study, f"{offer.seeds} > {offer.to}", offer.open, needs, f"{offer.chance:.2f}", cost)
        lines.append(LINE.format(*row, "yes" if offer.chosen else "no").rstrip())
    for why in dict.fromkeys(offer.why for offer in offers if offer.why):
        lines += _wrapped(f"{why}: {', '.join(offer.study for offer in offers if offer.why == why)}")
    spent = sum(offer.core_seconds for offer in offers if offer.chosen) / 60
    count = sum(offer.chosen for offer in offers)
    return [*lines, f"{count} of {len(offers)} looks, {spent:.1f} of {minutes:g} core minutes"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 80, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
