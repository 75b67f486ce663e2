"""Comparing two versions of the code by what their canaries compute, down to the last bit."""

import hashlib
from collections.abc import Collection, Iterable
from functools import cached_property

from assay.errors import EvidenceError
from assay.language.plugs import describe, kinds
from assay.language.recipes import HOOKS, canonical
from assay.language.studies import load_studies
from assay.pipeline.canaries import FAMILY, SCALE, cover
from assay.pipeline.canary_job import sharable
from assay.pipeline.sides import PROCESSES, Answer, Runner, Side, Task, merged
from assay.provenance.changes import Version, untried
from assay.provenance.fingerprints import computing_closure
from assay.provenance.platforms import platform_here, platform_key, platform_name
from assay.provenance.proofs import Proof

TRAINING = ("data", "training")  # rooms that hold what trains a network
Code = dict[str, dict[str, str]]  # fingerprints by study


class Comparison:
    """Code before and after, which are asked of what they compute when first needed. EvidenceError where one cannot be asked.

    scales: those whose fingerprints, before, are wanted besides the canaries'.
    """

    def __init__(self, before: Side, after: Side, runner: Runner, scales: Iterable[str] = ()):
        self.before, self.after, self.runner = before, after, runner
        wanted = {"describe": [SCALE, *sorted({*scales} - {SCALE})]}
        self.old, self.new = (each.result for each in runner.do([Task(before, wanted), Task(after, {"describe": [SCALE]})]))
        old, new = self.old[SCALE], self.new[SCALE]
        # A study is the same experiment on both sides, or it is no canary.
        common = [name for name in new if old.get(name, {}).get("digest") == new[name]["digest"]]
        if not common:  # such as code that cannot read how the sizes of canaries are written today
            raise EvidenceError(f"{before.name} has no study of scale {SCALE} that is the same there as here; recheck instead")
        self.studies = load_studies(SCALE, only=common, canaries=True)
        self.code_before: Code = {name: _canary_code(old[name]) for name in common}
        self.code_after: Code = {name: _canary_code(new[name]) for name in common}

    @cached_property
    def changed(self) -> dict[str, tuple[str | None, str | None]]:
        """Modules that computed something else's text before or after, with both hashes, None where there is no such module."""
        old, new = ({m: h for each in side.values() for m, h in each.items()} for side in (self.code_before, self.code_after))
        names = sorted(name for name in {*old, *new} if "/" not in name)
        return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}

    def holds(self, study: str, modules: Collection[str]) -> bool:
        """Whether the study is computed with one of these modules, before or after."""
        return bool((self.code_before[study].keys() | self.code_after[study].keys()) & set(modules))

    @cached_property
    def canaries(self) -> list[str]:
        """The canaries that the change meets."""
        return [name for name in cover(self.studies) if self.holds(name, self.changed)]

    @cached_property
    def answers(self) -> tuple[Answer, Answer]:
        """What both sides compute."""
        tasks = [Task(side, *task) for side in (self.before, self.after) for task in self._tasks()]
        found = self.runner.do(tasks)
        half = len(found) // 2
        return merged(found[:half]), merged(found[half:])

    def _tasks(self) -> list[tuple[dict, int]]:
        """What each side is asked, with numbers of processes: canaries in as few processes as keep all cores busy, since each has
        to import torch; and, where training changed, networks stopped on their way, and shared by two processes."""
        watch = {"watch": sorted(self.changed)}
        groups = max(1, min(self.runner.jobs // 2, len(self.canaries)))
        tasks = [({"measure": self.canaries[number::groups]} | watch, 1) for number in range(groups)]
        for number, name in enumerate(self.trainees):
            if number < groups:
                tasks[number][0]["again"] = name
            else:
                tasks.append(({"again": name} | watch, 1))
            tasks.append(({"share": name} | watch, PROCESSES))
        return tasks

    @cached_property
    def trainees(self) -> list[str]:
        """The canaries with a network to be trained in other ways, if what trains it changed: the smallest of those whose network
        is trained with hooks, and the smallest of the others."""
        if not any(module.split(".")[1] in TRAINING for module in self.changed):
            return []
        able = {name: sharable(self.studies[name]) for name in self.canaries}
        smallest: dict[bool, str] = {}
        for name in sorted(able, key=lambda name: (len(self.studies[name].recipes), name)):
            if able[name]:
                smallest.setdefault(any(able[name].data.get(hook) for hook in HOOKS), name)
        return sorted(smallest.values())

    @cached_property
    def compared(self) -> dict[str, tuple[str, str]]:
        """The bytes of each canary before and after. One that the old code cannot run here is none; EvidenceError if today's
        cannot."""
        old, new = (answer.result for answer in self.answers)
        for name in self.canaries:
            if "error" in new[name]:
                raise EvidenceError(f"canary {name} fails with today's code ({new[name]['error']}); mend it first")
        able = [name for name in self.canaries if "error" not in old[name]]
        # What only one of two versions tells of is not compared.
        shown = {name: sorted(old[name].keys() & new[name].keys()) for name in able}
        return {name: tuple(canonical({k: side[name][k] for k in shown[name]}) for side in (old, new)) for name in able}

    @cached_property
    def differing(self) -> dict[str, tuple[str, ...]]:
        """The canaries that came out otherwise, each with the plugs blamed.

        All its plugs are: which of them the change works through is not known. But where plugs themselves changed, it is these,
        and those of the others that take part in no canary that came out equal. Of a canary that is no study, it is beside
        changed plugs those that no study has: what else it goes through is gone through by studies, which speak for themselves.
        """
        studied = set().union(*(study.plugs for study in self.studies.values() if study.family != FAMILY))
        equal = {name for name, (old, new) in self.compared.items() if old == new}
        cleared = set().union(*(self.studies[name].plugs for name in equal))
        found = {}
        for name in self.compared.keys() - equal:
            plugs = self.studies[name].plugs
            own = {plug for plug in plugs if self._plug_changed(plug)}
            if self.studies[name].family == FAMILY:
                found[name] = tuple(sorted(own | (plugs - studied)))
            else:
                found[name] = tuple(sorted(own | (plugs - cleared) if own else plugs))
        return dict(sorted(found.items()))

    def _plug_changed(self, plug: str) -> bool:
        behind = computing_closure(describe(*plug.split("/")).module)
        return any(_is_plug(module) and module in self.changed for module in behind)

    @cached_property
    def untried(self) -> dict[str, list[str]]:
        """Changed modules with the changed places that no canary came by, and modules of plugs that no canary has."""
        old, new = self.answers
        places = untried(self.changed, Version(self.before.source, old.ran), Version(self.after.source, new.ran))
        codes = {name: _canary_code(told) for name, told in self.new[SCALE].items()}
        met = {name for name, code in codes.items() if self.changed.keys() & code.keys()}
        tried = {module for name in self.compared for module in self.code_after[name]}
        unmet = {m for name in met for m in codes[name] if _is_plug(m) and m not in tried}
        return places | {module: ["no canary uses it"] for module in sorted(unmet)}

    @property
    def proof(self) -> Proof | None:
        """The line to record; None if nothing follows from what was run."""
        held = {module for name in self.compared for module in self.code_before[name].keys() | self.code_after[name].keys()}
        modules = {module: hashes for module, hashes in self.changed.items() if module in held}
        told_of = [code.keys() for code in self.code_after.values() if modules.keys() & code.keys()]
        if not modules or not (self.differing or any(not code & self.untried.keys() for code in told_of)):
            return None
        here = platform_here("cpu", 1, "float32")
        return Proof(
            modules=modules,
            users={module: self._users(module) for module, (_, after) in modules.items() if after is None},
            canaries=tuple(self.compared),
            sha256=tuple(_sum_of(pair[side] for pair in self.compared.values()) for side in (0, 1)),
            differing=self.differing,
            untried=tuple(sorted(self.untried)),
            platform=f"{platform_name(here)} ({platform_key(here)})",
        )

    def _users(self, gone: str) -> tuple[str, ...]:
        """The changed modules whose presence now tells that a study was computed with a module that went."""
        had = {name for name, code in self.code_before.items() if gone in code}
        now = {
            module: {name for name, code in self.code_after.items() if module in code}
            for module, (_, after) in self.changed.items()
            if after
        }
        return tuple(sorted(module for module, having in now.items() if having and having <= had))


def _canary_code(told: dict) -> dict[str, str]:
    """What a study's canary is computed with; a version from before repetitions were trained together does not tell it apart."""
    return told.get("canary", told["code"])


def _is_plug(module: str) -> bool:
    parts = module.split(".")  # fingerprints hold files and counts as well
    return parts[0] == "assay" and parts[1] in kinds()


def _sum_of(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
