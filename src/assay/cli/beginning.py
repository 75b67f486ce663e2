"""`assay init`: a project folder of one's own, for an installed package."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.common import AsJson, in_one_line, out, print_json
from assay.errors import ArtifactError
from assay.language.scales import scales
from assay.storage.files import write_atomic
from assay.storage.places import CHECKOUT, PROJECT, project_folder

commands = typer.Typer()
STUDY = "config/studies/own/example.yaml"
IGNORED = "results/\n.snakemake/\ndatasets/\n"
EXAMPLE = """\
# A study: what is compared, how it is measured, and what is expected. Change it, or add others beside it.
paper: none                   # or a paper of the catalogue: assay find mixup; assay new P166
question: Does mixup fit fewer wrong labels than plain training does?
base:                         # fields that all arms share
  world: {shapes: {label_noise: 0.4}}
  model: resnet
arms:                         # the baseline first; each arm: fields on top of base
  plain: {}
  mixup: {augment: mixup}
protocol: classify            # assay list protocols
controls:                     # what must hold for the instrument to count as working
  - plain.top1 > 0.12
expect:                       # the claims
  - mixup.memorised < plain.memorised
secondary:
  - mixup.top1 > plain.top1
margin: {top1: 0.01, memorised: 0.02}
figure: bars
"""


@commands.command()
@in_one_line
def init(
    folder: Annotated[Path, typer.Argument(help="The folder; made if it is not there.", file_okay=False)] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a project folder: configuration, scales, and an example study, which `assay` and `snakemake` find from inside it."""
    if CHECKOUT is not None:
        raise ArtifactError(f"init: {CHECKOUT} is a checkout, which is a project already; write studies there: assay new")
    root = folder.resolve()
    _refuse(root)
    written = {
        "config/config.yaml": (PROJECT / "config/config.yaml").read_text(encoding="utf-8"),
        **{f"config/scales/{name}.yaml": (PROJECT / f"config/scales/{name}.yaml").read_text("utf-8") for name in scales()},
        STUDY: EXAMPLE,
        ".gitignore": IGNORED,
    }
    try:
        for name, text in written.items():
            if not (root / name).exists():
                write_atomic(root / name, text)
    except OSError as error:
        shutil.rmtree(root / "config", ignore_errors=True)
        raise ArtifactError(f"{root}: cannot be written ({error.strerror}); choose another folder") from None
    run = 'snakemake -s "$(assay where)" --config scale=ci'
    if as_json:
        print_json({"folder": str(root), "files": list(written), "next": run})
        return
    out.print(f"made {root} with the example {STUDY}", highlight=False, soft_wrap=True)
    there = "" if root == Path.cwd() else f"cd {folder} && "
    out.print(f"next: {there}assay check, then: {run}", highlight=False, soft_wrap=True, markup=False)


def _refuse(root: Path) -> None:
    """ArtifactError for a folder that has a configuration already, or lies in a project folder."""
    if (root / "config").exists():
        raise ArtifactError(f"{root / 'config'}: is there already, and is left as it is; choose another folder")
    if outer := project_folder(root):
        raise ArtifactError(f"{root}: lies in the project folder {outer}; write studies there: assay new")
