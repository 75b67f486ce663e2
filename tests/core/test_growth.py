"""The literature grows: what is added and reworded leaves all studies as they were, what computes is seen wherever it changes.

Each side is a copy of the package, read by a process of its own.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from various import various

from assay.language.plugs import PACKAGE, kinds
from assay.language.studies import study_paths
from assay.provenance.fingerprints import COMPUTING
from assay.storage.places import WORK as ROOT

READ = """
import json
from assay.evidence.tables import study_code
from assay.language.studies import load_studies

studies = load_studies("laptop").values()
print(json.dumps({
    study.name: {"digest": study.digest, "code": study_code(study), "networks": sorted(r.name for r in study.recipes)}
    for study in studies
}))
"""


class Copy:
    """The project with a package that may be changed."""

    def __init__(self, root: Path):
        self.root, self.package = root, root / "src" / "assay"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "data.sha256").symlink_to(ROOT / "data.sha256")
        (root / "config").mkdir()
        for path in (ROOT / "config").iterdir():
            if path.name != "studies":
                (root / "config" / path.name).symlink_to(path)
        for name in various():
            own = study_paths()[name].relative_to(ROOT)
            (root / own).parent.mkdir(parents=True, exist_ok=True)
            (root / own).symlink_to(ROOT / own)

    def studies(self) -> dict:
        command = [sys.executable, "-c", READ]
        environment = {"PYTHONPATH": str(self.root / "src"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def edit(self, path: str, pattern: str, to: str) -> None:
        source = (self.package / path).read_text()
        changed, count = re.subn(pattern, to, source, count=1)
        assert count == 1, f"{path} holds no {pattern}"
        assert changed != source
        (self.package / path).write_text(changed)


@pytest.fixture(scope="module")
def today(tmp_path_factory) -> dict:
    return Copy(tmp_path_factory.mktemp("today")).studies()


def test_growth_and_rewording_leave_all_studies_as_they_are(today, tmp_path):
    grown = Copy(tmp_path)
    # A parameter and a field at their defaults, a record, a range, words.
    grown.edit("models/resnet.py", r"= 1\n\) -> nn\.Module", r"= 1, spare: Annotated[float, Ge(0)] = 0.5\n) -> nn.Module")
    grown.edit("language/recipes.py", r'    "start": None,\n', '    "start": None,\n    "spare": 0.5,\n')
    grown.edit("language/compiling.py", r'( +)start = fields\["start"\]', r'\1data["spare"] = fields["spare"]\n\g<0>')
    grown.edit("optimizers/sgd.py", r"Gt\(0\)", "Gt(0.001), Lt(3)")
    grown.edit("training/run.py", r"lower the optimizer's lr", "try a lower lr")
    grown.edit("worlds/_split.py", r"one image a class", "which is one image of each class")
    grown.edit("protocols/classify.py", r"share of test images", "portion of the test images")
    # Plumbing that is new, and plumbing that changes.
    for path in ("training/run.py", "data/batch.py", "protocols/classify.py", "models/resnet.py"):
        grown.edit(
            path, r"\n(from typing|import) ", r"\nfrom assay.storage.files import sha256\nimport assay.language.scales\n\g<1> "
        )
    for path in grown.package.rglob("*.py"):
        if path.parent != grown.package and path.relative_to(grown.package).parts[0] not in (*COMPUTING, *kinds()):
            path.write_text(path.read_text() + "\n\nSPARE = 1\n")
    assert grown.studies() == today


def test_a_network_that_records_more_is_the_same_network(today, tmp_path):
    grown = Copy(tmp_path)
    grown.edit("language/compiling.py", r'self\._checked\(recorded, fields\["record"\], .*\)', '["margins"]')
    assert grown.studies() == today


@pytest.mark.parametrize(
    ("path", "pattern", "to", "study"),
    [
        ("models/resnet.py", r"Ge\(1\)\] = 1", "Ge(1)] = 2", "mixup"),  # a default is its plug's code
        ("training/run.py", r"initial_lr\"\] \* factor", 'initial_lr"] + factor', "mixup"),
    ],
)
def test_what_a_study_is_computed_with_changes_its_code_and_not_its_plan(today, tmp_path, path, pattern, to, study):
    changed = Copy(tmp_path)
    changed.edit(path, pattern, to)
    now = changed.studies()
    module = "assay." + path.removesuffix(".py").replace("/", ".")
    assert [name for name in now[study]["code"] if now[study]["code"][name] != today[study]["code"][name]] == [module]
    assert {name for name in now if now[name]["code"] != today[name]["code"]} == {n for n in today if module in today[n]["code"]}


def test_a_number_that_changes_is_seen_in_every_module_that_a_study_rests_on(today, tmp_path):
    changed = Copy(tmp_path)
    behind = {name for study in today.values() for name in study["code"] if name.startswith("assay.")}
    altered = {module for module in behind if alter_number(changed.package.parent / (module.replace(".", "/") + ".py"))}
    assert {module.split(".")[1] for module in altered} == {*COMPUTING, *kinds()} - {
        "figures",
        "samplers",
    }  # no study has one yet
    assert len(altered) > 0.8 * len(behind)
    now = changed.studies()
    for name, study in today.items():
        same = {module for module, value in study["code"].items() if now[name]["code"][module] == value}
        assert not same & altered, name


def alter_number(path: Path) -> bool:
    """Change a number that a function of the module computes with; False if there is none."""
    source = path.read_text(encoding="utf-8")
    found = [
        number for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef) for number in numbers(node)
    ]
    if not found:
        return False
    lines = source.splitlines(keepends=True)
    line = lines[found[0].lineno - 1].encode()
    start, end = found[0].col_offset, found[0].end_col_offset
    lines[found[0].lineno - 1] = (line[:start] + repr(found[0].value + 1).encode() + line[end:]).decode()
    path.write_text("".join(lines), encoding="utf-8")
    return True


def numbers(node: ast.AST) -> list[ast.Constant]:
    """The numbers in statements that compute, on one line, in order."""
    if isinstance(node, ast.Raise | ast.arguments | ast.JoinedStr | ast.AnnAssign):
        return []
    if isinstance(node, ast.Constant):
        return [node] if type(node.value) in (int, float) else []
    return [number for child in ast.iter_child_nodes(node) for number in numbers(child)]
