"""The words of verdicts, and counts of claims: what stands beside a paper's word wherever that is shown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

PAPERS = ("supported", "partly", "not supported", "open", "invalid")
CLAIMS = ("holds", "fails", "open")
FAILED = {"reversed": "reversed", "absent": "absent", "smaller": "smaller than the margin asks"}
MANY = 40  # seeds above which a count says only that they are more


def counted(record: Mapping[str, Any]) -> str:
    """A paper's count: "3 of 4 hold, 1 reversed"; of an open one with what is known of the open claim, and the seeds it needs."""
    if record["word"] == "invalid":
        failed = sum(not control["passed"] for control in record["controls"])
        return f"{failed} of {len(record['controls'])} controls failed"
    parts = [tally([(claim["word"], claim["reason"]) for claim in record["expectations"]])]
    open_claims = [claim for claim in record["expectations"] if claim["word"] == "open"]
    if len(open_claims) == 1 and open_claims[0]["interval"]:
        low, high = open_claims[0]["interval"]
        parts[0] += f": effect between {low:+.2g} and {high:+.2g}"
    if open_claims and open_claims[0]["interval"]:
        parts.append(_prospect([claim["needs"] for claim in open_claims]))
    if not open_claims and record["word"] == "open":
        parts[0] += ", but not past the gate"
    return "; ".join(parts)


def tally(claims: Sequence[tuple[str, str | None]]) -> str:
    """How many claims hold, fail and are open, from (word, reason): "0 of 3 hold, 2 fail, 1 open"; the reason where it is one."""
    words = Counter(word for word, _ in claims)
    parts = [f"{words['holds']} of {len(claims)} {'holds' if len(claims) == 1 else 'hold'}"]
    if words["fails"]:
        parts.append(f"{words['fails']} {_failing({reason for _, reason in claims if reason}, words['fails'])}")
    if words["open"]:
        parts.append(f"{words['open']} open")
    return ", ".join(parts)


def _failing(reasons: set[str], count: int) -> str:
    if len(reasons) == 1:
        return FAILED[reasons.pop()]
    return "fails" if count == 1 else "fail"


def _prospect(needs: Sequence[int | None]) -> str:
    """How many seeds would tell all open claims, or those that have a prospect."""
    known = [seeds for seeds in needs if seeds is not None]
    if not known:
        return "no affordable number of seeds would tell"
    told = "would tell" if len(known) == len(needs) else "would tell some"
    return f"more than {MANY} seeds {told}" if max(known) > MANY else f"about {max(known)} seeds {told}"
