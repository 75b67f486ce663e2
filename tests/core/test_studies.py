"""Studies: every way to write one wrong gives one line that names the file, the place, the value and the fix."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file
from study_cases import GOOD, compiled

from assay.errors import StudyError
from assay.language.scales import load_scale, scales
from assay.language.stretching import stretched
from assay.language.studies import compile_study, load_studies, study_paths
from assay.storage.places import WORK


def message(folder: Path, **changes) -> str:
    with pytest.raises(StudyError) as caught:
        compiled(folder, **changes)
    text = str(caught.value)
    assert "\n" not in text
    assert "study.yaml: " in text
    return text.split("study.yaml: ")[1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exepct": []}, "unknown key 'exepct'; did you mean 'expect'?"),
        ({"question": 3}, "key 'question': input should be a valid string, got 3"),
        ({"paper": "P999"}, "paper: "),
        ({"base": {"world": "shapes", "modle": "resnet"}}, "unknown field 'modle'; did you mean 'model'?"),
        ({"base": {"model": "resnet"}}, "arms.erm: no world is set"),
        (
            {"base": {"world": "shpaes", "model": "resnet"}},
            "arms.erm.world: unknown worlds plug 'shpaes'; did you mean 'shapes'?",
        ),
        (
            {"arms": {"erm": {"augment": {"mixup": {"alhpa": 1.0}}}}},
            "arms.erm.augment.mixup: unknown parameter 'alhpa'; did you mean 'alpha'? (allowed: alpha)",
        ),
        ({"arms": {"erm": {"augment": {"mixup": {"alpha": "much"}}}}}, "arms.erm.augment.mixup.alpha: 'much' is not allowed: "),
        ({"arms": {"erm": {"augment": {"mixup": {"alpha": -1}}}}}, "arms.erm.augment.mixup.alpha: -1 is not allowed: "),
        ({"arms": {"erm": {"model": {"resnet": {"width": 8.5}}}}}, "arms.erm.model.resnet.width: 8.5 is not allowed: "),
        ({"arms": {"erm": {"model": {"resnet": {"width": True}}}}}, "arms.erm.model.resnet.width: True is not allowed: "),
        ({"arms": {"Erm": {}}}, "arms: 'Erm' cannot be named in an expectation"),
        ({"arms": {}}, "arms: a study needs at least one arm"),
        ({"networks": {"erm": {}}}, "networks: 'erm' is also an arm"),
        ({"baseline": "emr"}, "baseline: unknown arm 'emr'; did you mean 'erm'?"),
        ({"protocol": "clasify"}, "protocol: unknown protocols plug 'clasify'; did you mean 'classify'?"),
        ({"figure": "bras"}, "figure: unknown figures plug 'bras'; did you mean 'bars'?"),
        ({"expect": ["mixpu.top1 > erm.top1"]}, "expect[1]: 'mixpu.top1 > erm.top1': unknown arm 'mixpu'; did you mean 'mixup'?"),
        (
            {"controls": ["erm.top1 > 0.3", "erm.top1 > 0.30"]},
            "controls[2]: 'erm.top1 > 0.30' says what controls[1] says; keep one of the two",
        ),
        ({"figure": {"bars": {"metrics": []}}}, "figure.bars.metrics: [] is not allowed: name at least 1"),
        (
            {"figure": {"bars": {"metrics": ["top1", "top1"]}}},
            "figure.bars.metrics: ['top1', 'top1'] is not allowed: 'top1' is",
        ),
        ({"figure": {"bars": {"metrics": ["tpo1"]}}}, "figure.metrics: unknown metric 'tpo1'; did you mean 'top1'?"),
        ({"figure": {"scatter": {"x": "top1", "y": "tpo1"}}}, "figure.y: unknown metric 'tpo1'; did you mean 'top1'?"),
        (
            {"arms": {"erm": {"surgery": {"uniform_soup": {"members": []}}}}},
            "surgery.uniform_soup.members: [] is not allowed:",
        ),
        ({"arms": {"erm": {"world": {"fold": {"of": None}}}}}, "arms.erm.world.fold.of: None names no plug; write a name or {n"),
        ({"base": {"world": 3, "model": "resnet"}, "sweep": {"world.label_noise": [0.1]}}, "base.world: 3 names no plug"),
        ({"question": ""}, "key 'question': string should have at least 1 character, got ''"),
        ({"question": [0] * 999}, f"input should be a valid string, got {[0] * 999!r:.80} ..."),
        (
            {"base": {"world": {"shapes": {"size": 10**9}}, "model": "resnet"}},
            "size: 1000000000 is not allowed: whole",
        ),
        ({"base": {"world": "shapes", "model": "resnet", "optimizer": {"sgd": {"lr": 1e308}}}}, "sgd.lr: 1e+308 is not allowed:"),
        (
            {"base": {"world": "shapes", "model": "resnet", "optimizer": {"sgd": {"lr": 5e-324}}}},
            "sgd.lr: 5e-324 is not allowed",
        ),
        ({"expect": ["mixup.top1 / 0 > 1"]}, "expect[1]: 'mixup.top1 / 0 > 1', column 1: 'mixup.top1 / 0' divides by zero"),
        ({"expect": ["mixup.top1 / (2 - 2.0) > 1"]}, "'mixup.top1 / (2 - 2.0)' divides by zero"),
        ({"expect": ["mixup.top > erm.top"]}, "unknown metric 'top'; did you mean 'top1'?"),
        ({"secondary": ["mixpu.top1 > erm.top1"]}, "secondary[1]: 'mixpu.top1 > erm.top1': unknown arm 'mixpu'"),
        (
            {"secondary": ["mixup.top1 > erm.top1"]},
            "secondary[1]: 'mixup.top1 > erm.top1' says what expect[1] says; keep one of the two",
        ),
        (
            {"expect": ["mixup.top1 > erm.top1", "(erm.top1)  < mixup.top1"]},
            "expect[2]: '(erm.top1)  < mixup.top1' says what expect[1] says; keep one of the two",
        ),
        ({"expect": ["erm.top1 > erm.top1"]}, "column 1: 'erm.top1' stands on both sides; compare it with something else"),
        ({"expect": ["-1 < erm.top1 - erm.top1 < 1"]}, "column 6: 'erm.top1' stands on both sides"),
        ({"arms": {"lambda": {}}}, "arms: 'lambda' is a word of Python, which expectations are read as; use another name"),
        ({"arms": {"1": {}}}, "arms: '1' cannot be named in an expectation; use lower-case letters, digits and _"),
        ({"sweep": {"world.label_noise": [0.2, 0.0, 0.2]}}, "sweep: world.label_noise has the value 0.2 twice"),
        ({"sweep": {"world.train": [64, 64.0]}}, "sweep: world.train has the value 64.0 twice"),
        (
            {"base": {"world": "digits", "model": "resnet"}},
            "arms.erm.world.digits: train + test = 1536 + 1024 is more than there is (at most 1797); set it in the study",
        ),
        ({"sweep": {"world.label_noise": []}}, "sweep: world.label_noise has no values; name some, or leave sweep out"),
        ({"expect": ["__import__('os').system('true') > 0"]}, "expect[1]: "),
        ({"expect": []}, "key 'expect': "),
        ({"controls": []}, "key 'controls': "),
        ({"margin": {"top1": -0.1}}, "key 'margin.top1': input should be greater than or equal to 0, got -0.1"),
        ({"margin": {"tpo1": 0.1}}, "unknown metric or expectation 'tpo1'; did you mean 'top1'?"),
        ({"arms": {"erm": {"budget": {"epochs": 3, "length": 2}}}}, "arms.erm.budget: epochs and length exclude each other"),
        ({"arms": {"erm": {"budget": {"epoch": 3}}}}, "arms.erm.budget: unknown key 'epoch'; did you mean 'epochs'?"),
        ({"arms": {"erm": {"budget": {"batch": 0}}}}, "arms.erm.budget.batch: 0 is not allowed"),
        ({"arms": {"erm": {"draws": {"inti": 1}}}}, "arms.erm.draws: unknown axis 'inti'; did you mean 'init'?"),
        (
            {"arms": {"erm": {"sampler": {"balanced": {"factor": ["label"]}}}}},
            "arms.erm.sampler.balanced: unknown parameter 'factor'; did you mean 'factors'?",
        ),
        ({"arms": {"erm": {"sampler": "balanced"}}}, "arms.erm.sampler.balanced.factors: is required (declared "),
        (
            {"arms": {"erm": {"sampler": "balance"}}},
            "arms.erm.sampler: unknown samplers plug 'balance'; did you mean 'balanced'?",
        ),
        ({"arms": {"erm": {"sampler": ""}}}, "arms.erm.sampler: unknown samplers plug ''"),
        (
            {"arms": {"erm": {"reset": [0.5, 2]}}},
            "arms.erm.reset: 2 is not allowed; give shares of the training from 0 to 1, such as [0, 0.1, 1]",
        ),
        ({"arms": {"erm": {"reset": [0, 0.5]}}}, "arms.erm.reset: [0.0, 0.5] is not allowed; give shares above 0 and below 1"),
        ({"arms": {"erm": {"reset": [1]}}}, "arms.erm.reset: [1.0] is not allowed; give shares above 0 and below 1"),
        ({"arms": {"erm": {"reset": "half"}}}, "arms.erm.reset: 'half' is not allowed; give shares of the training"),
        (
            {"arms": {"erm": {"record": [{"snapshots": [0, True]}]}}},
            "arms.erm.record: True is not allowed; give shares of the training from 0 to 1",
        ),
        (
            {"arms": {"erm": {"record": ["snapshot 0.5"]}}},
            "arms.erm.record: unknown record 'snapshot 0.5'; did you mean 'snapshots'?",
        ),
        (
            {"arms": {"erm": {"record": [{"snapshot": [0]}]}}},
            "arms.erm.record: {'snapshot': [0]} is not allowed; give a list of margins, snapshots",
        ),
        ({"arms": {"erm": {"record": ["margin"]}}}, "arms.erm.record: unknown record 'margin'; did you mean 'margins'?"),
        ({"arms": {"erm": {"start": "pretraind"}}, "networks": {"pretrained": {}}}, "did you mean 'pretrained'?"),
        (
            {"networks": {"one": {"start": "two"}, "two": {"start": "one"}}},
            "networks depend on each other in a circle: one -> two -> one",
        ),
        ({"sweep": {"world.label_noise": [0.0], "budget.batch": [1]}}, "sweep: one field at most"),
        ({"sweep": {"world.label_nose": [0.0]}}, "unknown parameter 'label_nose'; did you mean 'label_noise'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, changes, said):
    assert said in message(tmp_path, **changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("paper: [", "study.yaml:2: not readable as YAML"),
        ("paper: P166\npaper: P127\n", "study.yaml:2: not readable as YAML: key 'paper' is written twice"),
        ("- a\n- b\n", "study.yaml: expected keys and values"),
        ("!!python/object/apply:os.system ['true']", "not readable as YAML"),
        ("", "study.yaml: expected keys and values"),
        # Misspelt, a required key is missing too: the misspelling is what helps.
        (yaml.safe_dump(GOOD).replace("protocol:", "protocl:"), "study.yaml: unknown key 'protocl'; did you mean 'protocol'?"),
    ],
)
def test_files_that_are_no_study(tmp_path, text, said):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        compile_study(path, "ci", load_scale("ci"))
    assert said in str(caught.value)


def test_numbers_in_scientific_notation_are_numbers(tmp_path):
    text = yaml.safe_dump({**GOOD, "margin": {"top1": "HERE"}}).replace("HERE", "1e-3")
    path = tmp_path / "study.yaml"
    path.write_text(text)
    assert compile_study(path, "ci", load_scale("ci")).file.margin == {"top1": 1e-3}


def test_every_committed_study_compiles_at_every_scale():
    for scale in scales():
        assert load_studies(scale)


def test_checking_imports_no_torch():
    heavy = "{'torch', 'timm', 'pandas', 'scipy'}"
    load = "from assay.cli.looking import reader; reader('laptop')"
    code = f"import sys; {load}; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=WORK)
    assert said.stdout.strip() == "[]"


def test_what_systems_leave_beside_studies_and_scales_is_neither(tmp_path):
    for name in ("studies/family/one.yaml", "studies/family/._one.yaml", "studies/.hidden/two.yaml", "scales/ci.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\5\26\7\xb0")
    (tmp_path / "scales" / "._ci.yaml").write_bytes(b"\0")
    (tmp_path / "studies" / "family" / ".#one.yaml").symlink_to("nobody@nowhere.1234")
    assert list(study_paths(tmp_path)) == ["one"]
    assert scales(tmp_path) == ["ci"]


def test_weights_that_are_not_there_are_named(tmp_path):
    model = {"timm": {"name": "resnet18", "weights": "weights/mine.safetensors"}}
    assert message(tmp_path, base={"world": "shapes", "model": model}) == (
        "arms.erm.model.timm.weights: 'weights/mine.safetensors' is no file;"
        " bring the .safetensors file there, or name a repository as owner/name"
    )
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, tmp_path / "mine.safetensors")
    there = {"timm": {"name": "resnet18", "weights": str(tmp_path / "mine.safetensors")}}
    study = compiled(tmp_path, base={"world": "shapes", "model": {"squeezed": {"of": there}}})
    assert study.reads == {str(tmp_path / "mine.safetensors")}
    hub = {"timm": {"name": "resnet18", "weights": "timm/resnet18.a1_in1k"}}
    assert compiled(tmp_path, base={"world": "shapes", "model": hub}).reads == set()


@pytest.mark.parametrize("named", ["a.pth", "mine/resnet.pt", "/tmp", "resnet18", "https://example.org/a/b", "~/a.bin", "a/b/c"])
def test_weights_in_another_form_are_refused_before_a_job(tmp_path, named):
    model = {"timm": {"name": "resnet18", "weights": named}}
    said = message(tmp_path, base={"world": "shapes", "model": model})
    assert f"weights: '{named}' is neither a .safetensors file nor a repository as owner/name; write other" in said


@pytest.mark.parametrize("kept", [b"", b"junk", b"version https://git-lfs.github.com/spec/v1", slice(0, -4)])
def test_a_file_of_weights_that_is_cut_or_of_another_kind_is_refused_before_a_job(tmp_path, kept):
    file = tmp_path / "mine.safetensors"
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, file)
    file.write_bytes(file.read_bytes()[kept] if isinstance(kept, slice) else kept)
    said = message(tmp_path, base={"world": "shapes", "model": {"timm": {"name": "resnet18", "weights": str(file)}}})
    assert "mine.safetensors" in said
    assert "is no readable safetensors file (" in said


DIGITS = {"digits": {"train": 1000, "test": 700}}
SIZED = {"digits": {"train": 1000, "test": 700, "size": 8}}
OOD = {"expect": ["mixup.auroc > erm.auroc"], "controls": ["erm.auroc > 0"]}
LINE = "study: world digits has images of 8 px, and scale laptop draws them at 16; set digits.size, to 8 or as you mean it"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"base": {"world": DIGITS, "model": "resnet"}}, [LINE]),
        ({"base": {"world": SIZED, "model": "resnet"}}, []),
        ({"base": {"world": {"digits": {**DIGITS["digits"], "size": 16}}, "model": "resnet"}}, []),
        ({"base": {"world": {"random_labels": {"of": DIGITS}}, "model": "resnet"}}, [LINE]),
        ({"base": {"world": {"random_labels": {"of": SIZED}}, "model": "resnet"}}, []),
        ({"base": {"world": "shapes", "model": "resnet"}}, []),  # drawn at whatever size is asked for
        ({"arms": {"erm": {}, "mixup": {"world": DIGITS}}}, [LINE]),
        ({"base": {"world": DIGITS, "model": "resnet"}, "sweep": {"world.size": [8, 16]}}, []),
        ({"networks": {"first": {"world": DIGITS}}, "arms": {"erm": {}, "mixup": {"start": "first"}}}, [LINE]),
        ({"protocol": {"ood": {"near": "shapes", "far": [DIGITS], "tune_on": "shapes"}}, **OOD}, [LINE]),
    ],
)
def test_a_scale_stretches_no_collection_unsaid(tmp_path, changes, lines):
    assert stretched(compiled(tmp_path, **changes)) == lines


BASE = {"world": "shapes", "model": "resnet"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": {"top1": True}}, "key 'margin.top1': input should be a valid number, got True"),
        ({"margin": {"top1": "0.1"}}, "key 'margin.top1': input should be a valid number, got '0.1'"),
        ({"sweep": {"world.label_noise": ["0.1"]}}, "input should be a valid number, got '0.1'"),
        ({"sweep": {"world.label_noise": [True]}}, "input should be a valid number, got True"),
        ({"base": {**BASE, "budget": {"epochs": 1e300}}}, "1e+300 is not allowed; give a whole number from 0 to 100000"),
        ({"base": {**BASE, "budget": {"length": 1e300}}}, "budget.length: 1e+300 is not allowed; it is at most 100000"),
        ({"base": {**BASE, "budget": {"batch": 2**31}}}, "2147483648 is not allowed; give a whole number from 1 to 1000000"),
        (
            {"base": {**BASE, "world": {"shapes": {"train": 10**30}}}},
            f"{10**30} is not allowed: whole numbers are at most 10000000 here",
        ),
        ({"base": {**BASE, "start": []}}, "unknown network '[]'"),
    ],
)
def test_no_value_is_taken_for_what_it_is_not_nor_beyond_what_can_be_counted(tmp_path, changes, said):
    assert said in message(tmp_path, **changes)
