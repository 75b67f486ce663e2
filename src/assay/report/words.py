"""Words and numbers of the report. A verdict's sentence follows from the counts of its evidence and never says more."""

import math
from typing import Any
from urllib.parse import urlsplit

import yaml

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"
VERDICTS = {
    "supported": "Holds at this size",
    "partly": "Holds in part at this size",
    "not supported": "Does not hold at this size",
    "open": "Undecided at this size",
    "invalid": "Cannot be judged",
}
REASONS = {"reversed": "the other way round", "absent": "no effect", "smaller": "smaller than the margin asks"}


def finite(value: Any) -> bool:
    """Whether this is a number one can plot."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def number(value: Any) -> str:
    """Three significant digits with a true minus sign; a dash for what is missing or not a number."""
    if not isinstance(value, (int, float)) or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 0.001:
        text = f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"
    else:
        text = f"{value:.1e}"
    return text.replace("-", MINUS)


def signed(value: Any) -> str:
    """`number` with a plus sign on what is positive."""
    return f"+{number(value)}" if finite(value) and value > 0 else number(value)


def exact(value: Any) -> str:
    """A number that a person set (a margin, a tick), as short as it was written."""
    return f"{value:g}".replace("-", MINUS) if finite(value) else MISSING


def probability(value: Any) -> str:
    """A p-value to three decimals, or "< 0.001"."""
    if not finite(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def interval(bounds: list[float] | None) -> str:
    """`[low, high]`, or a dash when there is none (a single seed)."""
    if not bounds or not all(finite(bound) for bound in bounds):
        return MISSING
    return f"[{number(bounds[0])}, {number(bounds[1])}]"


def seconds(value: Any) -> str:
    """A duration in the unit a person would choose."""
    if not finite(value):
        return MISSING
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


def setting(value: Any) -> str:
    """A recipe's or protocol's value as one line of YAML."""
    return _yaml(value, flow=True).strip().removesuffix("\n...")


def block(value: Any) -> str:
    """A recipe as YAML, one setting a line."""
    return _yaml(value, flow=False)


def _yaml(value: Any, flow: bool) -> str:
    """YAML on lines as long as need be, by the library in C."""
    return yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=flow, sort_keys=False, width=2**31 - 1)


def label(slug: str) -> str:
    """A family's or metric's identifier as words."""
    return slug.replace("-", " ").replace("_", " ")


def plural(count: int, noun: str, several: str = "") -> str:
    """ "1 seed", "5 seeds", "2 classes"."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def safe_url(url: str | None) -> str | None:
    """The address if a browser may follow it (http or https with a host), else None."""
    if not url or any(ord(character) <= 32 for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def reason(claim: dict[str, Any]) -> str:
    """Why a claim fails, in words; empty for one that does not."""
    if claim["word"] != "fails":
        return ""
    return "outside its bounds" if claim["kind"] == "equivalence" else REASONS[claim["reason"]]


def headline(verdict: dict[str, Any]) -> str:
    """What follows from the evidence, in one sentence."""
    opening = VERDICTS[verdict["word"]]
    if verdict["word"] == "invalid":
        failed = [control["text"] for control in verdict["controls"] if not control["passed"]]
        return f"{opening}: {plural(len(failed), 'control')} failed ({'; '.join(failed)})."
    counted = f"{opening}: {verdict['count']}.".replace(" -", f" {MINUS}")
    note = verdict["note"]
    return f"{counted} {note[0].upper()}{note[1:]}." if note else counted
