"""Every example in the documentation is executed as written, in a copy of the project."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from pipeline_project import ROOT, Project

PAGES = sorted(path.name for path in (ROOT / "docs").glob("add-*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "docs" / page).read_text())


def execute(project: Project, line: str) -> None:
    program, *arguments = shlex.split(line)
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    if program == "snakemake":
        command += ["--cores", "2"]
    done = subprocess.run(command, cwd=project.root, env=project.environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_works_as_written(tmp_path, page):
    project = Project(tmp_path)
    written = []
    for language, text in blocks(page):
        if language in ("python", "yaml"):
            first, _, rest = text.partition("\n")
            written.append(project.write(first.removeprefix("# ").strip(), rest))
    for test in [path for path in written if path.name.startswith("test_")]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
            cwd=project.root,
            env=project.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
    commands = [line.removeprefix("$ ") for language, text in blocks(page) if language == "console" for line in text.splitlines()]
    assert commands
    for line in commands:
        if line.startswith("assay new"):
            # The skeleton is written next to the finished study of the page, which then replaces it.
            target = next(path for path in written if path.suffix == ".yaml")
            finished = target.read_text()
            target.unlink()
            execute(project, line)
            assert target.exists()
            target.write_text(finished)
        else:
            execute(project, line)


def test_every_page_in_the_documentation_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in readme]
    assert missing == []


def test_every_link_in_the_documentation_leads_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name} links to {target}"
