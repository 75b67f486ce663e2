"""What changed between two versions of the code, statement by statement, and whether anything came by there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from assay.provenance.fingerprints import computing_statements_of
from assay.provenance.syntax import Statement


@dataclass(frozen=True)
class Version:
    """One version of the code: the folder that holds its package, and by module the lines that were run in it."""

    source: Path
    ran: Mapping[str, Collection[int]]

    def path(self, module: str) -> Path | None:
        """The module's file in this version, None if it has none."""
        base = self.source.joinpath(*module.split("."))
        return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)

    def statements(self, module: str) -> list[Statement]:
        """What the module computes with, statement by statement."""
        path = self.path(module)
        return computing_statements_of(module, path) if path else []

    def came_by(self, module: str, statement: Statement) -> bool:
        """Whether the statement was run."""
        lines = range(statement.first, statement.last + 1)
        return any(line in lines for line in self.ran.get(module, ()))


def untried(modules: Collection[str], before: Version, after: Version) -> dict[str, list[str]]:
    """Of modules that changed, those with statements that changed and were run on neither side, as "<file>:<line>" each.

    A statement that went from one module to another is the same statement.
    """
    changed = {module: _changed(before.statements(module), after.statements(module)) for module in modules}
    found: dict[str, list[str]] = {}
    for module, sides in changed.items():
        for version, own, other in ((before, 0, 1), (after, 1, 0)):
            moved = {each.text for name, pair in changed.items() if name != module for each in pair[other]}
            for statement in sides[own]:
                if statement.text not in moved and not version.came_by(module, statement):
                    found.setdefault(module, []).append(f"{'/'.join(module.split('.')[1:])}.py:{statement.first}")
    return {module: list(dict.fromkeys(places)) for module, places in found.items()}


def _changed(old: list[Statement], new: list[Statement]) -> tuple[list[Statement], list[Statement]]:
    """The statements of each side that the other one lacks at their place."""
    matcher = SequenceMatcher(None, [each.text for each in old], [each.text for each in new], autojunk=False)
    differing = [codes for codes in matcher.get_opcodes() if codes[0] != "equal"]
    return (
        [statement for _, first, last, _, _ in differing for statement in old[first:last]],
        [statement for _, _, _, first, last in differing for statement in new[first:last]],
    )
