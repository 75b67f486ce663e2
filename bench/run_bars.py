"""Run the benchmarks of bench/bars in turn, print what they measured beside its bars, and write bench/bars.json.

usage: python bench/run_bars.py [TOPIC...]        (make bench, make bench BARS="startup compile")

A topic is a script bench/bars/<topic>.py. It measures in one run with the peer beside it and prints a JSON list of bars, each
{"name", "value", "limit", "sense": "at most" | "at least", "measured": {what: number}, "unit", "how"}. Topics that are not asked
for keep their entries, with the commit, date and machine that those are of. A script that fails is a line, loses its entries, and
makes the command exit with 1; a bar that is not met does not. Topics that take long run only where they are named.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from assay.errors import AssayError, StudyError, unknown
from assay.provenance.commits import commit
from assay.provenance.platforms import platform_here

ROOT = Path(__file__).resolve().parents[1]
SLOW = ("ten_studies",)
MINUTES, SLOW_MINUTES = 60, 600  # that a topic may take, and one that is slow
KEYS = {"name": str, "value": (int, float), "limit": (int, float), "sense": str, "measured": dict, "unit": str, "how": str}
SENSES = ("at most", "at least")
WIDTH = 80


class BarsError(AssayError):
    """A script that failed, or printed something else than bars."""


def topics(folder: Path) -> dict[str, Path]:
    """The scripts by topic; a name that begins with an underscore is a part of others."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def chosen(asked: Sequence[str], known: Iterable[str]) -> list[str]:
    """The topics to run: those asked for, in that order, else all that are not slow."""
    known = list(known)
    for topic in asked:
        if topic not in known:
            raise StudyError(f"BARS: {unknown('topic', topic, known)}")
    return list(dict.fromkeys(asked)) or [topic for topic in known if topic not in SLOW]


def minutes(script: Path) -> float:
    """How long a script may take."""
    return SLOW_MINUTES if script.stem in SLOW else MINUTES


def measure(script: Path) -> list[dict]:
    """The bars that a script prints; BarsError says in a line why there are none."""
    try:
        bars = json.loads(_output(script))
    except ValueError as error:
        raise BarsError(f"its output is no JSON ({error})") from None
    if not isinstance(bars, list) or not bars:
        raise BarsError("its output is no list of bars")
    for bar in bars:
        _check(bar)
    return bars


def _output(script: Path) -> str:
    """What a script prints. All that it started ends with it, or a pipe that a grandchild holds would be waited for."""
    # Python keeps what it compiled, as it did of every peer's libraries when they were installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment) as process:
        try:
            text, _ = process.communicate(timeout=60 * minutes(script))
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BarsError(f"not done after {minutes(script):g} minutes") from None
            raise
    if process.returncode:
        raise BarsError(f"exit status {process.returncode}")
    return text


def _check(bar: object) -> None:
    if not isinstance(bar, dict) or set(bar) != set(KEYS):
        raise BarsError(f"a bar has the keys {', '.join(KEYS)}, not {', '.join(bar) if isinstance(bar, dict) else bar!r}")
    for key, kind in KEYS.items():
        if not isinstance(bar[key], kind) or isinstance(bar[key], bool):
            raise BarsError(f"'{bar['name']}': key '{key}': {bar[key]!r}")
    if bar["sense"] not in SENSES:
        raise BarsError(f"'{bar['name']}': key 'sense': {bar['sense']!r} (allowed: {', '.join(SENSES)})")


def met(bar: dict) -> bool:
    """Whether the value is on the right side of the limit."""
    return bar["value"] <= bar["limit"] if bar["sense"] == "at most" else bar["value"] >= bar["limit"]


def table(bars: Iterable[dict], failed: dict[str, str]) -> list[str]:
    """The bars as lines to print, and a line for each topic that failed."""
    named, lines = WIDTH - 45, []
    for bar in bars:
        first, *rest = textwrap.wrap(bar["name"], named) or [""]
        amount = f"{bar['value']:.4g} {bar['sense']} {bar['limit']:.4g}"
        lines.append(f"{bar['topic'][:11]:11} {first:{named}} {amount:>24} {'met' if met(bar) else 'not met'}")
        lines += [f"{'':11} {line}" for line in rest]
    return lines + [line for topic, why in failed.items() for line in textwrap.wrap(f"{topic}: failed: {why}", WIDTH)]


def merged(earlier: Iterable[dict], fresh: dict[str, list[dict]], ran: Iterable[str], known: Iterable[str]) -> list[dict]:
    """The bars of all topics, by topic: what was measured now, and the entries of topics that did not run and are still there."""
    kept = [bar for bar in earlier if bar["topic"] not in set(ran) and bar["topic"] in set(known)]
    new = [{"topic": topic, **bar} for topic, bars in fresh.items() for bar in bars]
    return sorted(kept + new, key=lambda bar: bar["topic"])


def here() -> dict:
    """Commit, date and machine of what is measured now."""
    head, dirty = commit(ROOT)
    return {
        "commit": f"{head or 'unknown'}{' and changes' if dirty else ''}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform_here('cpu', 1, 'float32')['cpu']}, {os.cpu_count()} cores",
    }


def run(asked: Sequence[str], folder: Path, result: Path) -> int:
    """Measure the topics asked for and write the result; the exit status."""
    scripts = topics(folder)
    names, about = chosen(asked, scripts), here()
    fresh: dict[str, list[dict]] = {}
    failed: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] {name}", file=sys.stderr, flush=True)
        try:
            fresh[name] = [bar | about for bar in measure(scripts[name])]
        except BarsError as error:
            failed[name] = str(error)
    earlier = json.loads(result.read_text(encoding="utf-8"))["bars"] if result.exists() else []
    bars = merged(earlier, fresh, names, scripts)
    result.write_text(json.dumps(about | {"bars": bars}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table([bar for bar in bars if bar["topic"] in fresh], failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:], ROOT / "bench" / "bars", ROOT / "bench" / "bars.json"))
    except AssayError as error:
        sys.exit(f"error: {error}")
