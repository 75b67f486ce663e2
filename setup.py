"""What pyproject.toml cannot say: a wheel carries the project's own files, so that it works outside a checkout.

They stay where they are in the repository; a build copies them to assay/_project/. An editable install copies nothing, and
imports from src/ as before. Package names mapped on these folders would replace its path by an import hook, which Snakemake does
not hand on to the scripts of its jobs.
"""

from pathlib import Path
from shutil import rmtree

from setuptools import setup
from setuptools.command.build_py import build_py

OWN = (
    "Snakefile",
    "config/**/*",
    "data.sha256",
    "docs/data/*.csv",
    "bench/bars.json",
    "envs/environment.yaml",
    "profiles/**/*",
    "report/**/*",
    "rules/*.smk",
    "tests/**/test_*.py",  # which tests vouch for a method is read from their source
    "workflow/scripts/*.py",
)


def own_files() -> list[str]:
    """The project's own files, from the top of the repository."""
    found = {path for pattern in OWN for path in Path().glob(pattern) if path.is_file() and "__pycache__" not in path.parts}
    return sorted(path.as_posix() for path in found)


class BuildWithProject(build_py):
    """Builds the package with the project's own files inside."""

    def run(self) -> None:
        rmtree(Path(self.build_lib, "assay"), ignore_errors=True)  # setuptools would pack what an earlier build left there
        super().run()
        if not self.editable_mode:
            for target, source in self._targets().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution holds."""
        return [*super().get_source_files(), *own_files()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What a build leaves."""
        return [*super().get_outputs(include_bytecode), *self._targets()]

    def _targets(self) -> dict[str, str]:
        return {str(Path(self.build_lib, "assay", "_project", source)): source for source in own_files()}


setup(cmdclass={"build_py": BuildWithProject})
