"""`assay diff`: two runs, side by side."""

import contextlib
import textwrap
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from assay.cli.common import AsJson, AtScale, in_one_line, of_studies, out, print_json, print_line, word_on
from assay.cli.completing import sides
from assay.errors import AssayError, EvidenceError, StudyError, unknown
from assay.language.studies import study_paths

commands = typer.Typer()
SIDES = "here, archive, archive@COMMIT, earlier, a scale, or a results folder"
NUMBERS = "{:>9}  {:>9}  {:>9}  {}"
ROOM = 23  # columns of a terminal that are left for a name beside its numbers
MODULES = 4  # that differ, named


@commands.command()
@in_one_line
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"What is compared with: {SIDES}.", autocompletion=sides)],
    b: Annotated[str, typer.Argument(metavar="B", help="What is compared, named in the same ways.", autocompletion=sides)],
    studies: Annotated[list[str] | None, of_studies("Names of studies; all that both have if not given.")] = None,
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """Compare two runs: words and effects of each claim, and the mean of every arm and metric, with the difference B - A.

    here: your own results at --scale; archive: the archived ones, at any commit with archive@COMMIT; earlier: what your last edit
    replaced. Without names of studies, one in which all is equal to the bit takes one line.
    """
    from assay.overview.differences import difference
    from assay.overview.runs import side

    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(side(written, scale)) for written in (a, b))
        names = _chosen(studies or (), one, other)
        found, unread = [], {}
        for name in names:
            try:
                found.append(difference(one.read(name), other.read(name)))
            except AssayError as error:
                if studies:
                    raise
                unread[name] = str(error)
    only = {written: sorted({*each.names} - {*rest.names}) for written, each, rest in ((a, one, other), (b, other, one))}
    if as_json:
        print_json({"a": a, "b": b, "studies": [each.as_json() for each in found], "unread": unread, "only": only})
        return
    for each in found:
        _print(each, brief=not studies)
    for name, why in unread.items():
        _paragraph(f"{name}: not compared: {why}")
    if not studies:
        _print_rest(found, only)


def _chosen(studies: Iterable[str], one: Any, other: Any) -> list[str]:
    """The studies to compare; StudyError for a name that no study has, EvidenceError where nothing is in both."""
    known = {*study_paths(), *one.names, *other.names}
    for name in studies:
        if name not in known:
            raise StudyError(unknown("study", name, known))
        for side in (one, other):
            if name not in side.names:
                raise EvidenceError(f"{name}: {side.name} has no evidence of it ({_listed(side.names) or 'nor of any study'})")
    chosen = list(dict.fromkeys(studies)) or sorted({*one.names} & {*other.names})
    if not chosen:
        counts = f"{one.name} has {len(one.names)} studies, {other.name} {len(other.names)}"
        raise EvidenceError(f"no study has evidence in both: {counts}; run snakemake, or name other sides: {SIDES}")
    return chosen


def _listed(names: tuple[str, ...]) -> str:
    return f"it has {', '.join(names[:5])}{f' and {len(names) - 5} more' if names[5:] else ''}" if names else ""


def _print(found: Any, brief: bool) -> None:
    if brief and found.equal:
        seeds = f"{len(found.seeds)} seed{'s' * (len(found.seeds) != 1)}"
        print_line(f"[bold]{found.study}[/]: equal to the bit: {len(found.means)} means of {seeds}, and all words")
        return
    print_line(f"[bold]{found.study}[/]")
    for letter, about in zip("AB", found.sides, strict=True):
        _paragraph(f"  {letter}  {_side_line(about)}", "     ")
    for line in _compared(found):
        _paragraph(f"  {line}")
    _print_claims(found)
    _print_means(found)
    out.print()


def _side_line(about: Mapping[str, Any]) -> str:
    seeds = about["seeds"]
    parts = [f"{about['where']}, scale {about['scale']}: {len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"]
    parts += [f"commit {about['commit'][:7]}"] if about["commit"] else []
    parts += [about["date"]] if about["date"] else []
    if about["platform"]:
        from assay.provenance.platforms import platform_name

        parts.append(platform_name(about["platform"]))
    old = "" if about["of_its_text"] else "; measured under another text than the study has now"
    return ", ".join(parts) + old


def _compared(found: Any) -> Iterable[str]:
    """What is the same on both sides and what is not, in lines."""
    yield f"text: {'differs in ' + ', '.join(found.text) if found.text else 'the same'}"
    named = ", ".join(found.modules[:MODULES]) + (f" and {len(found.modules) - MODULES} more" if found.modules[MODULES:] else "")
    yield f"code: {found.code}" + (f" ({named})" if named else "")
    if found.seeds:
        yield f"seeds in common: {len(found.seeds)} ({found.seeds[0]} to {found.seeds[-1]})"
    else:
        why = "" if found.draws[0] == found.draws[1] else f": other draws ({'; '.join(found.draws)})"
        yield f"seeds in common: none{why}"
    yield from _arms(found)


def _arms(found: Any) -> Iterable[str]:
    by_state = {state: [arm for arm, each in found.arms.items() if each is state] for state in (True, False, None)}
    said = {True: "equal", False: "not equal", None: "not known whether equal"}
    parts = [f"{said[state]} in {len(arms)} of {len(found.arms)} arms" for state, arms in by_state.items() if arms]
    different = f" ({', '.join(by_state[False])})" if by_state[False] and by_state[True] else ""
    yield f"networks and measurement: {'; '.join(parts)}{different}"
    for letter, arms in zip("AB", found.only, strict=True):
        if arms:
            yield f"arms of {letter} alone: {', '.join(arms)}"


def _print_claims(found: Any) -> None:
    words = [about["word"] for about in found.sides]
    counts = [about["count"] for about in found.sides]
    for letter, word, count in zip("AB", words, counts, strict=True):
        print_line(f"verdict of {letter}: {word_on(word) if word else 'not judged'}", f": {count}")
    titles = {"expectations": "the paper's claims, A and B:", "secondary": "beside them, A and B:"}
    for tier, title in titles.items():
        claims = [claim for claim in found.claims if claim.tier == tier]
        if claims:
            out.print(title)
        for claim in claims:
            _paragraph(f"  {claim.text}", "    ")
            print_line(f"      {_said(claim.a)}   {_said(claim.b)}".rstrip())


def _said(claim: Mapping[str, Any] | None) -> str:
    if claim is None:
        return f"{'-':<22}"
    return f"{word_on(claim['word'], 5)}  effect {claim['effect']:<+9.3g}"


def _print_means(found: Any) -> None:
    over = "the seeds in common" if found.seeds else "each side's seeds"
    names = max((len(mean.name) for mean in found.means), default=0)
    width = min(names, ROOM) if out.is_terminal else names
    out.print(f"means over {over}; 95% intervals of B - A seed by seed:" if found.seeds else f"means over {over}:")
    print_line(f"  {'':<{width}}  {NUMBERS.format('A', 'B', 'B - A', 'interval' if found.seeds else '')}".rstrip())
    for mean in found.means:
        numbers = NUMBERS.format(*map(_number, (mean.a, mean.b)), _number(mean.difference, "+.3g"), _certainty(mean)).rstrip()
        if len(mean.name) > width:
            print_line("  ", mean.name)
        print_line("", f"  {mean.name if len(mean.name) <= width else '':<{width}}  {numbers}")


def _number(value: float | None, form: str = ".4g") -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:{form}}"


def _certainty(mean: Any) -> str:
    if mean.equal:
        return "equal to the bit"
    if mean.interval is None:
        return ""
    low, high = mean.interval
    return f"{low:+.2g} to {high:+.2g}"


def _print_rest(found: Iterable[Any], only: Mapping[str, list[str]]) -> None:
    equal = sum(each.equal for each in found)
    out.print(
        f"{len(found)} {'study' if len(found) == 1 else 'studies'} compared: {equal} equal to the bit, {len(found) - equal} not",
        highlight=False,
    )
    for side, names in only.items():
        if names:
            _paragraph(f"in {side} alone: {', '.join(names)}")


def _paragraph(text: str, indent: str = "    ") -> None:
    """Text that goes on below where a terminal ends; whole where a program reads it."""
    width = out.width if out.is_terminal else 10**6
    lines = textwrap.wrap(text, width, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False)
    out.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
