"""Proofs: changes of code that were seen to change no number, or to change some, kept in the committed file proofs.txt.

A proof says that canaries, small studies, were run with the code before and after a change on one machine. One line each,

    <checksum> {"canaries": [...], "differing": {...}, "format": 1, "modules": {"assay.x": ["<old>", "<new>"]}, ...}

sorted when written, in any order when read, so that a merge of two branches may leave the union of their lines. Fingerprints are
compared by the oldest that is known to compute the same: what is proven counts as unchanged.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assay.errors import EvidenceError
from assay.language.plugs import kinds
from assay.provenance.fingerprints import digest
from assay.storage.files import write_atomic
from assay.storage.places import PROJECT

FILE = PROJECT / "proofs.txt"
FORMAT = 1
Hash = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Sum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Proof(BaseModel):
    """One change of code and what came of it.

    modules: hashes before and after by module, None where it was not there. users: of a module that went, the modules that had
    used it, since a fingerprint after the change does not tell that it held the module. canaries: names of the studies that
    were run. sha256: of all they computed, before and after. differing: the canaries that came out otherwise, each with the plugs
    (as "kind/name") blamed for it; fingerprints without these are the same before and after. untried: modules that changed where
    no canary came by; fingerprints with one of these are never shown to be the same. platform: where it was seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    modules: dict[str, tuple[Hash | None, Hash | None]] = Field(min_length=1)
    users: dict[str, tuple[str, ...]] = {}
    canaries: tuple[str, ...] = Field(min_length=1)
    sha256: tuple[Sum, Sum]
    differing: dict[str, tuple[str, ...]] = {}
    untried: tuple[str, ...] = ()
    platform: str

    @model_validator(mode="after")
    def _consistent(self) -> "Proof":
        if (self.sha256[0] == self.sha256[1]) == bool(self.differing):
            raise ValueError("canaries differ if, and only if, the two sums do")
        return self

    @property
    def line(self) -> str:
        """The proof as it stands in the file."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        return f"{_checksum(text)} {text}"

    def before(self, hashes: dict[str, str]) -> dict[str, str] | None:
        """A fingerprint as it was before the change; None if it is not one from after it.

        It is one if all modules of the change that it holds are as the change left them; which others the change met, it does
        not depend on.
        """
        held = self.modules.keys() & hashes.keys()
        if not held or any(hashes[module] != self.modules[module][1] for module in held):
            return None
        gone = {module for module, users in self.users.items() if hashes.keys() & set(users)}
        was = {module: self.modules[module][0] for module in held | gone}
        return {**{m: value for m, value in hashes.items() if m not in held}, **{m: value for m, value in was.items() if value}}

    def against(self, hashes: dict[str, str]) -> dict[str, tuple[str, ...]]:
        """The differing canaries that share a blamed plug with this fingerprint, each with the plugs shared."""
        used = _plugs(hashes)
        shared = {canary: tuple(plug for plug in plugs if plug in used) for canary, plugs in self.differing.items()}
        return {canary: plugs for canary, plugs in shared.items() if plugs}


class _Step(NamedTuple):
    """A fingerprint on the way back, and what canaries say against the change that led to it."""

    hashes: dict[str, str]
    against: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Proofs:
    """All proofs there are."""

    proofs: tuple[Proof, ...] = ()

    def oldest(self, hashes: dict[str, str]) -> dict[str, str]:
        """The oldest fingerprint that is proven to compute what this one does."""
        passed = [step.hashes for step in self._steps(hashes, refuting=False)]
        again = self._newest(passed[-1], refuting=False)
        if again is None:
            return passed[-1]
        # A change and its taking back: of all that is passed through in turns, the same one wherever it is entered.
        turns = passed[passed.index(again.before(passed[-1])) :]
        return min(turns, key=lambda hashes: sorted(hashes.items()))

    def refutation(self, old: dict[str, str], new: dict[str, str]) -> list[str]:
        """How canaries show that the two fingerprints compute different numbers, in lines; empty if none does."""
        back, forth = self._steps(new, refuting=True), self._steps(old, refuting=True)
        before = [step.hashes for step in forth]
        meeting = next((step.hashes for step in back if step.hashes in before), None)
        if meeting is None:
            return []
        between = [*takewhile(lambda step: step.hashes != meeting, back), *takewhile(lambda step: step.hashes != meeting, forth)]
        against = {canary: plugs for step in between for canary, plugs in step.against.items()}
        return [f"canary {canary} came out otherwise ({', '.join(plugs)})" for canary, plugs in sorted(against.items())]

    def _steps(self, hashes: dict[str, str], refuting: bool) -> list["_Step"]:
        """The fingerprint taken back change by change, until it is as old as can be or would be what it was before."""
        steps: list[_Step] = []
        while hashes is not None and all(step.hashes != hashes for step in steps):
            proof = self._newest(hashes, refuting)
            steps.append(_Step(hashes, proof.against(hashes) if proof else {}))
            hashes = proof.before(hashes) if proof else None
        return steps

    def _newest(self, hashes: dict[str, str], refuting: bool) -> Proof | None:
        """A proof of a change that this fingerprint is after; one of a change that changed it only if `refuting`."""
        after = (proof for proof in self.proofs if proof.before(hashes) is not None)
        return next((proof for proof in after if refuting or not self._spoken_against(proof, hashes)), None)

    def _spoken_against(self, proof: Proof, hashes: dict[str, str]) -> bool:
        """Whether the change may have changed such numbers: where canaries did not come by, or were seen to differ, here or, by
        another proof of the same change, on another platform."""
        if hashes.keys() & set(proof.untried):
            return True
        return any(other.against(hashes) for other in self.proofs if other.modules == proof.modules)


def oldest(hashes: dict[str, str]) -> dict[str, str]:
    """The oldest fingerprint that is proven, in proofs.txt, to compute what this one does."""
    return committed().oldest(hashes)


def code_digest(hashes: dict[str, str]) -> str:
    """One hash for all fingerprints that are proven to compute the same."""
    return digest(oldest(hashes))


@cache
def committed() -> Proofs:
    """The proofs of this checkout, read once."""
    return read(FILE)


def read(path: Path) -> Proofs:
    """The proofs in a file, none if there is no file. EvidenceError names the line that cannot be one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return Proofs()
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{path.name}: cannot be read ({error}); restore it: git checkout {path.name}") from None
    found = {line: _parsed(line, f"{path.name}:{number}") for number, line in enumerate(lines, 1)}
    return Proofs(tuple(proof for _, proof in sorted(found.items())))


def add(found: Iterable[Proof], path: Path = FILE) -> None:
    """Put proofs into the file, beside those that are there."""
    lines = {proof.line for proof in (*read(path).proofs, *found)}
    write_atomic(path, "".join(f"{line}\n" for line in sorted(lines)))
    committed.cache_clear()


def _parsed(line: str, where: str) -> Proof:
    checksum, _, text = line.partition(" ")
    if checksum != _checksum(text):
        raise EvidenceError(
            f"{where}: its checksum is not that of its text, so assay prove did not write it; take it out, or restore it with git"
        )
    try:
        data = json.loads(text)
        if data.get("format") is not FORMAT:
            raise EvidenceError(f"{where}: format {data.get('format')!r} is not known here (known: {FORMAT}); use a later assay")
        return Proof.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))} {first['msg'].lower()}".strip()
    except (AttributeError, RecursionError, ValueError) as error:
        reason = error
    raise EvidenceError(f"{where}: no proof ({reason}); take it out, or restore it with git")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plugs(hashes: Iterable[str]) -> set[str]:
    """The plugs of a fingerprint as "kind/name"."""
    parts = [module.split(".") for module in hashes if "/" not in module]
    return {f"{part[1]}/{part[-1]}" for part in parts if len(part) > 2 and part[1] in kinds()}
