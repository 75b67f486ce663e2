"""Proving: whether code computes what it computed when evidence was made, asked of canaries.

The commit that evidence was made at is checked out for a while; its code and today's, as it lies in the working tree, train and
measure the same small studies on this machine, each in processes of its own. Nothing of results/ is touched.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.artifacts.entries import read_entries
from assay.artifacts.folders import pull
from assay.errors import AssayError, EvidenceError, StudyError, unknown
from assay.evidence.freshness import UNPROVEN, Freshness, freshness
from assay.language.configuration import results_folder
from assay.language.draws import JUDGED, made_under
from assay.language.plugs import PACKAGE
from assay.language.scales import scales
from assay.language.studies import load_studies, study_paths
from assay.language.study import Study
from assay.pipeline.canaries import FAMILY, SCALE
from assay.pipeline.comparing import Comparison
from assay.pipeline.sides import Runner, Side
from assay.pipeline.worktrees import full_name, worktree
from assay.provenance import proofs
from assay.storage.files import read_json
from assay.storage.places import WORK

TOO_OLD = "made before canaries could be run; recheck its evidence (assay recheck), or let it count as unproven"
DATA = "data"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """A block of evidence, archived or here: its study as it is now, and with what and at which commit it was made."""

    name: str
    study: Study
    provenance: dict
    commit: str | None

    @property
    def freshness(self) -> Freshness:
        """How it stands now."""
        return freshness(self.study, self.provenance)


@dataclass(frozen=True)
class Outcome:
    """What came of one commit, or why nothing could be tried.

    modules: those that changed. differing: the canaries that came out otherwise, with the plugs blamed. untried: changed modules,
    with the places that no canary came by. recorded: whether a line was added to the proofs.
    """

    commit: str
    modules: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    differing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untried: Mapping[str, Sequence[str]] = field(default_factory=dict)
    recorded: bool = False
    failure: str = ""


def unproven(names: Collection[str] = (), root: Path = WORK) -> list[Made]:
    """All evidence of these studies, or of all, whose code changed with nobody knowing what that does. StudyError for a name that
    is no study's."""
    known = study_paths(root / "config")
    for name in names:
        if name not in known:
            raise StudyError(unknown("study", name, known))
    found = [*_archived(root), *_here(root)]
    return [made for made in found if (not names or made.study.name in names) and made.freshness.word == UNPROVEN]


def _archived(root: Path) -> Iterator[Made]:
    entries = [entry for entry in read_entries(root).values() if entry.study and not entry.withdrawn]
    studies = {scale: load_studies(scale, root / "config") for scale in {entry.scale for entry in entries}}
    for entry in entries:
        if study := studies[entry.scale].get(entry.study):
            provenance = {"study_sha256": entry.plan, "code": entry.code}
            yield Made(entry.folder, study, provenance, entry.commit)


def _here(root: Path) -> Iterator[Made]:
    for scale in scales(root / "config"):
        folder = root / results_folder(scale) / "observations"
        studies = load_studies(scale, root / "config") if folder.exists() else {}
        for path in sorted(folder.glob("*/*-*/provenance.json")):
            with contextlib.suppress(EvidenceError):
                provenance = read_json(path)
                study = studies.get(path.parent.parent.name)
                if study and made_under(provenance) == JUDGED:
                    yield Made(str(path.parent.relative_to(root)), study, provenance, provenance.get("commit"))


def prove(made: Sequence[Made], since: Sequence[str], jobs: int, say: Say, root: Path = WORK) -> list[Outcome]:
    """Compare today's code with that of these commits or, if none is given, of those that the evidence was made at, and record
    what comes out.

    jobs: processes at a time. say: takes lines on how far it is.
    """
    pull(DATA, root=root)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="assay-") as folder, Runner(jobs, say) as runner:
        today = Side("today", PACKAGE.parent, Path(folder))
        for commit in since or sorted({each.commit or "" for each in made}):
            own = [each for each in made if (each.commit or "") == commit and each.freshness.word == UNPROVEN]
            if since or own:  # else what was recorded for another commit settled it
                outcomes.append(_outcome(commit, own, today, runner, root))
    return outcomes


def _outcome(commit: str, made: Sequence[Made], today: Side, runner: Runner, root: Path) -> Outcome:
    name = full_name(commit, root) if commit else None
    if name is None:
        where = f"commit {commit[:12]} is not in this clone" if commit else "the evidence names no commit"
        return Outcome(commit, failure=f"{where}, so its code cannot be run; fetch the whole history, or recheck")
    try:
        with worktree(name, root) as tree:
            before = Side(name[:12], tree / "src", tree.parent)
            if not before.answers:
                return Outcome(name, failure=f"commit {name[:12]}: {TOO_OLD}")
            _furnish(tree, root)
            comparison = Comparison(before, today, runner, {each.study.scale for each in made})
            return _judged(name, comparison, made)
    except (AssayError, OSError) as error:
        return Outcome(name, failure=f"commit {name[:12]}: {error}")


def _judged(commit: str, comparison: Comparison, made: Sequence[Made]) -> Outcome:
    """Run the canaries, and record what follows."""
    strange = [each.name for each in made if not _was_made_there(each, comparison)]
    if strange and len(strange) == len(made):
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        return Outcome(commit, failure=f"{strange[0]}{more}: not made with the code of its commit {commit[:12]}; recheck it")
    if not comparison.canaries:
        return Outcome(commit, tuple(comparison.changed))
    proof = comparison.proof
    if proof:
        proofs.add([proof])
    return Outcome(
        commit,
        tuple(comparison.changed),
        tuple(comparison.compared),
        comparison.differing,
        comparison.untried,
        proof is not None,
    )


def _was_made_there(made: Made, comparison: Comparison) -> bool:
    """Whether the evidence was made with its commit's code, or with code proven to compute the same: no change was left
    uncommitted that matters."""
    there = comparison.old.get(made.study.scale, {}).get(made.study.name, {}).get("code", {})
    known = proofs.committed()
    return known.oldest(there) == known.oldest(made.provenance["code"])


def _furnish(tree: Path, root: Path) -> None:
    """Bring into a checked out commit what no commit holds, and the sizes at which canaries run today, with those that are no
    studies, where code that knows of none takes them for some."""
    shutil.copytree(root / DATA, tree / DATA, dirs_exist_ok=True)
    shutil.copy(root / "config" / "scales" / f"{SCALE}.yaml", tree / "config" / "scales")
    shutil.rmtree(tree / "config" / FAMILY, ignore_errors=True)
    if (root / "config" / FAMILY).exists():
        shutil.copytree(root / "config" / FAMILY, tree / "config" / "studies" / FAMILY)


def lines(outcome: Outcome) -> list[str]:
    """An outcome for readers."""
    if outcome.failure:
        return [outcome.failure]
    since = f"since {outcome.commit[:12]}"
    if not outcome.canaries:
        changed = ", ".join(outcome.modules)
        return [f"{since}: {f'no canary uses what changed ({changed})' if changed else 'nothing that computes changed'}"]
    count = f"{len(outcome.canaries)} {'canary' if len(outcome.canaries) == 1 else 'canaries'}"
    if outcome.differing:
        found = [f"{since}: {len(outcome.differing)} of {count} came out otherwise"]
        found += [f"  {name} (blamed: {', '.join(plugs)})" for name, plugs in outcome.differing.items()]
    else:
        found = [f"{since}: {count} came out the same, to the last bit"]
    for module, places in outcome.untried.items():
        found.append(f"  {module}: not proven, as no canary came by what changed there ({', '.join(places[:3])})")
    return [*found, "  recorded in proofs.txt; commit it" if outcome.recorded else "  nothing recorded"]
