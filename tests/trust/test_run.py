"""A whole run of hostile studies amid secrets: nothing hostile runs or is shown as markup, no secret is kept."""

import pickle
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from pipeline_project import PLAIN, Project

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "HF_TOKEN", "SSH_AUTH_SOCK", "DATABASE_PASSWORD")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}$x$"
FAILS = '''"""Fails with markup."""

METRICS = {"accuracy": "Accuracy [0 to 1, higher is better]: <script>alert(1)</script>"}


def fails(arm):
    """Raises before the first value."""
    raise RuntimeError("<script>alert(1)</script>")
    yield "accuracy", 0.0
'''


class Trace:
    """Unpickled, it leaves a file."""

    def __reduce__(self):
        return open, ("trace", "w")


class Page(HTMLParser):
    """Where a page loads or runs something, and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.scripts, self.handlers, self.addresses, self.text = [], [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "script":
            self.scripts.append(given.get("src"))
        self.handlers += [name for name in given if name.startswith("on")]
        self.addresses += [given[name] or "" for name in ("href", "src", "action") if name in given]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("run"))
    study = {**yaml.safe_load(PLAIN), "question": HOSTILE, "notes": HOSTILE}
    project.study("plain", yaml.safe_dump(study) + f"# {HOSTILE}\n")
    project.study("tuned", PLAIN.replace("protocol: probe", "protocol: fails"))
    project.write("src/assay/protocols/fails.py", FAILS)
    iocache = project.root / ".snakemake/iocache/latest.pkl"
    iocache.parent.mkdir(parents=True)
    iocache.write_bytes(pickle.dumps(Trace()))
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRETS:
            patch.setenv(name, f"secret-of-{name}")
        done = project.snakemake()
    assert "RuntimeError" in done.stdout + done.stderr
    return project


def test_no_secret_of_the_environment_is_in_any_file(project):
    files = [path for name in ("results", ".snakemake") for path in (project.root / name).rglob("*") if path.is_file()]
    assert len(files) > 30
    assert [path for path in files if b"secret-of-" in path.read_bytes()] == []


def test_what_strangers_wrote_is_shown_as_text(project):
    report = project.root / "results/ci/report"
    pages = {path.relative_to(report).as_posix(): Page(path) for path in report.rglob("*.html")}
    assert HOSTILE in pages["studies/plain.html"].text
    assert "<script>alert(1)</script>" in pages["studies/tuned.html"].text
    for name, page in pages.items():
        assert all(source and not source.startswith(("http", "//")) for source in page.scripts), name
        assert page.handlers == [], name
        assert not [address for address in page.addresses if address.strip().lower().startswith(("javascript", "data:text"))], (
            name
        )
    for drawing in report.rglob("*.svg"):
        assert [
            node.tag for node in ElementTree.parse(drawing).iter() if "script" in node.tag or "foreignObject" in node.tag
        ] == []


def test_what_snakemake_keeps_is_not_unpickled(project):
    assert not (project.root / "trace").exists()
