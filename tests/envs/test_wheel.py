"""A wheel works outside a checkout: built from a copy of the sources, installed in a folder, used in an empty one."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# Python's own hook for a site: the environment of a checkout has the checkout on its path.
FORGET = """
import sys
sys.path[:] = [path for path in sys.path if path != {source!r}]
"""


def build(sources: Path, hook: str, out: Path) -> Path:
    """What the build backend makes of the sources, without a network."""
    code = f"import setuptools.build_meta as backend; print(backend.{hook}({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=sources, capture_output=True, text=True, check=True)
    return out / done.stdout.splitlines()[-1]


def held() -> list[str]:
    """The files of the repository, those not committed yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", ":!dvcstore"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """What a clone holds, without its store, with leftovers of an earlier build."""
    root = tmp_path_factory.mktemp("clone") / "assay"
    for name in held():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for left in ("assay/models/withdrawn.py", "assay/_project/config/studies/adversarial/withdrawn.yaml"):
        (root / "build/lib" / left).parent.mkdir(parents=True)
        (root / "build/lib" / left).write_text("")
    return root


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out), str(sources)]
    subprocess.run(command, check=True)
    (path,) = out.iterdir()
    return path


@dataclass
class Installed:
    """The wheel in a folder of packages, and an empty folder to work in; the checkout cannot be imported."""

    packages: Path
    desk: Path

    @property
    def project(self) -> Path:
        return self.packages / "assay" / "_project"

    def python(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(self.packages), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=cwd or self.desk, env=environment, capture_output=True, text=True, timeout=600)

    def assay(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.python("-m", "assay.cli", *arguments)

    def snakemake(self, *studies: str) -> subprocess.CompletedProcess:
        snakefile = self.assay("where").stdout.strip()
        config = ["--config", "scale=ci", f"studies=[{','.join(studies)}]"]
        return self.python("-m", "snakemake", "-s", snakefile, "--cores", "2", *config)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    root = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(root / "packages"), str(wheel)], check=True)
    (root / "packages" / "sitecustomize.py").write_text(FORGET.format(source=str(ROOT / "src")))
    (root / "desk").mkdir()
    return Installed(root / "packages", root / "desk")


def test_the_package_that_runs_is_the_installed_one(installed):
    done = installed.python("-c", f"import assay, sys; print(assay.__file__, {str(ROOT / 'src')!r} in sys.path)")
    assert done.stdout.split() == [str(installed.packages / "assay" / "__init__.py"), "False"]
    assert installed.assay("where").stdout == f"{installed.project}/Snakefile\n"


def test_it_knows_all_studies_papers_and_tests(installed):
    names = {path.stem for path in (ROOT / "config" / "studies").glob("*/*.yaml")}
    assert {row["study"] for row in json.loads(installed.assay("list", "--json").stdout)} == names
    checked = json.loads(installed.assay("check", "--json").stdout)
    assert (checked["studies"], checked["problems"]) == (len(names), [])
    shown = json.loads(installed.assay("show", "mixup", "--json").stdout)
    assert shown["paper"]["id"] == "P166"
    assert shown["vouched_by"]
    assert Path(shown["file"]).is_file()
    covered = json.loads(installed.assay("coverage", "--json").stdout)
    assert (covered["total"], covered["working"]) == (len(json.loads((ROOT / "config/papers.json").read_text())), 0)
    assert all("oracle test" not in reason for row in covered["papers"].values() for reason in row["missing"])
    assert list(installed.desk.iterdir()) == []


def test_a_study_runs_to_its_report_in_an_empty_folder(installed):
    done = installed.snakemake("mixup")
    assert done.returncode == 0, done.stdout + done.stderr
    results = installed.desk / "results" / "ci"
    assert (results / "report" / "manifest.json").is_file()
    assert "tests/" in (results / "report" / "methods" / "augment-mixup.html").read_text()
    provenance = json.loads((results / "observations" / "mixup" / "0-0" / "provenance.json").read_text())
    assert (provenance["commit"], provenance["dirty"]) == (None, None)
    assert json.loads(installed.assay("show", "mixup", "--scale", "ci", "--json").stdout)["verdict"]["word"]
    assert {path.name for path in installed.desk.iterdir()} == {".snakemake", "results"}
    written = (results / "report" / "manifest.json").stat().st_mtime_ns
    again = installed.snakemake("mixup")
    assert "to run" in done.stderr
    assert "to run" not in again.stderr
    assert (results / "report" / "manifest.json").stat().st_mtime_ns == written


def test_a_project_folder_of_ones_own(installed):
    done = installed.assay("new", "P001")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "make one: assay init FOLDER" in done.stderr
    done = installed.assay("init", "mine")
    assert done.returncode == 0, done.stderr
    mine = installed.desk / "mine"
    command = done.stdout.rpartition("then: ")[2].strip()
    assert command == 'snakemake -s "$(assay where)" --config scale=ci'
    checked = installed.python("-m", "assay.cli", "check", "--json", cwd=mine)
    found = json.loads(checked.stdout)
    assert (found["studies"], found["scales"]) == (1, len(list((ROOT / "config/scales").glob("*.yaml")))), checked.stderr
    assert (found["problems"], found["warnings"]) == ([], ["example: not frozen yet"])
    (mine / "deep").mkdir()
    assert installed.python("-m", "assay.cli", "new", "none", "--name", "later", cwd=mine / "deep").returncode == 0
    listed = json.loads(installed.python("-m", "assay.cli", "list", "--json", cwd=mine / "deep").stdout)
    assert {row["study"]: row["word"] for row in listed} == {"example": None, "later": "draft"}
    snakefile = f"{installed.project}/Snakefile"
    run = ("-m", "snakemake", "-s", snakefile, "--cores", "2", "--config", "scale=ci")
    refused = installed.python(*run, cwd=mine / "deep")
    assert f"run it there: cd {mine}" in refused.stdout + refused.stderr
    done = installed.python(*run, cwd=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped, as draft: later" in done.stderr
    assert (mine / "results/ci/report/studies/example.html").is_file()
    again = installed.assay("init", "mine")
    assert again.stderr == f"error: {mine}/config: is there already, and is left as it is; choose another folder\n"


MODEL = "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))\n"


def test_any_model_is_measured_in_any_folder(installed, tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    asked = ("mine:build", "--data", "{shapes: {classes: 3, size: 8, train: 6, test: 12}}", "--size", "8")
    done = installed.python("-m", "assay.cli", "measure", *asked, "--only", "accuracy", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plan: 2 jobs" in done.stdout
    assert "mine:build" in (tmp_path / "results/measured/shapes/report.html").read_text()


def test_a_study_of_real_images_stops_before_its_first_job(installed):
    done = installed.snakemake("mnist_c")
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "checkout" in line]
    assert len(said) == 1
    assert "data/ (read by mnist_c)" in said[0]
    assert not (installed.desk / "results/ci/observations/mnist_c").exists()


@pytest.mark.parametrize("command", [["pull", "data"], ["push", "data"], ["archive"], ["networks", "pull"]])
def test_what_takes_a_checkout_says_so_in_a_line(installed, command):
    done = installed.assay(*command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "only in a checkout of the repository" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_in_a_checkout_says_that_its_code_is_not_the_one_there(installed, sources):
    command = ["-m", "snakemake", "-n", "--quiet", "--config", "scale=ci", "studies=[mixup]"]
    done = installed.python(*command, cwd=sources)
    said = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(said) == 1, done.stderr
    assert str(sources) in said[0]
    assert str(installed.project) in said[0]


def test_a_wheel_carries_what_the_repository_has_and_no_leftovers(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    for folder in ("config", "profiles", "report", "rules", "workflow"):
        carried = {name.removeprefix("assay/_project/") for name in names if name.startswith(f"assay/_project/{folder}/")}
        assert carried >= {name for name in held() if name.startswith(f"{folder}/")}
    assert not [name for name in names if "withdrawn" in name or "__pycache__" in name]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"assay", "snakemake_logger_plugin_assay"}


def test_a_wheel_made_from_a_source_distribution_is_the_same(sources, wheel, tmp_path):
    with tarfile.open(build(sources, "build_sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    made = build(unpacked, "build_wheel", tmp_path)
    contents = [{item.filename: item.CRC for item in zipfile.ZipFile(path).infolist()} for path in (wheel, made)]
    packages = [{name: crc for name, crc in content.items() if ".dist-info/" not in name} for content in contents]
    assert packages[0] == packages[1]


def test_an_editable_install_puts_the_sources_on_the_path_and_copies_nothing(sources, tmp_path):
    """Snakemake hands its path to the scripts of jobs; an import hook would not get there."""
    with zipfile.ZipFile(build(sources, "build_editable", tmp_path)) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".pth"))
        assert wheel.read(path).decode().strip() == str(sources / "src")
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == {path}
    assert not (sources / "src" / "assay" / "_project").exists()
