"""Synthetic evidence in the pipeline's format: a study for every verdict, a failed one, one not run, and a hostile one."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay import report
from assay.evidence.tables import COLUMNS, FORMAT
from assay.judging.counts import counted
from assay.language import catalogue
from assay.overview.coverage import Introduction, Vouch
from assay.pipeline.sources import Sources

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{ 7*7 }}$x$"
VERDICTS = {
    "mixup": ("P166", "training-recipes", "supported"),
    "augmix": ("P194", "corruption-shift", "not supported"),
    "odin": ("P196", "ood-anomaly", "open"),
    "grad-cam": ("P313", "attribution", "partly"),
    "fgsm": ("P127", "adversarial", "invalid"),
}


def view(name: str, paper: str, family: str, **changes) -> report.StudyView:
    """A small study with two arms and two metrics, one of them along x."""
    defaults = {
        "name": name,
        "family": family,
        "paper": paper,
        "question": f"Does {name} do what its paper says?",
        "arms": {"erm": {}, "treated": {"augment": {"mixup": {"alpha": 1.0}}}, "shuffled": {"draws": {"order": 1}}},
        "recipes": {
            "erm": {"world": {"shapes": {"label_noise": 0.4}}, "model": "resnet", "budget": {"epochs": 8, "batch": 64}},
            "treated": {
                "world": {"shapes": {"label_noise": 0.4}},
                "model": "resnet",
                "augment": ["mixup"],
                "budget": {"epochs": 9, "batch": 64},
            },
            "shuffled": {"world": {"shapes": {"label_noise": 0.4}}, "model": "resnet", "budget": {"epochs": 8, "batch": 64}},
        },
        "protocol": "classify",
        "metrics": {
            "top1": "Accuracy [0 to 1, higher is better]: accuracy on the test split",
            "robust": "Robust accuracy [0 to 1, higher is better]: accuracy by severity",
        },
        "margin": {"top1": 0.01},
        "notes": "Sixteen pixels only.",
        "baseline": "erm",
        "expect": ("treated.top1 > erm.top1",),
        "controls": ("erm.top1 > 0.3",),
        "yaml": f"paper: {paper}\nquestion: Does it?\n",
        "figure": {"bars": {}},
        "worlds": {"shapes-0a1b2c3d": ("erm", "treated"), "dsd-0a1b2c3d": ("shuffled",), "lost-0a1b2c3d": ("shuffled",)},
        "plugs": ("augment/mixup", "models/resnet", "worlds/shapes"),
        "introduces": (
            Introduction("augment/mixup", "Convex combinations of pairs.", ("tests/plugs/test_mixup.py::test_pairs",)),
            Introduction("protocols/classify", "How well a network classifies.", ()),
        ),
        "stale": (),
        "missing": (),
    }
    return report.StudyView(**(defaults | changes))


FORMULA = "q_t = Q(<Y_t, u_{t-1}> / ||Y_t||^2) with 3 * x * y and *stars* and ![x](http://a.b/c.png) and [y](javascript:alert(4))"
METHODS = [
    report.MethodView(
        kind="augment",
        name="mixup",
        file="src/assay/augment/mixup.py",
        doc=f"Mixup: convex combinations\nof pairs.\n\nAfter P166. {FORMULA}\n\n- one `lam` a batch\n- labels too",
        details="Images (B, C, H, W).",
        parameters=(("alpha", "Annotated[float, Gt(0)]", "1.0"), ("of", "Callable", "")),
        papers=("P166", "P999"),
        vouches=(Vouch("augment/mixup", "P166", "tests/plugs/test_mixup.py::test_pairs"),),
        studies=("mixup", "augmix", "dropped"),
    ),
    report.MethodView(
        "protocols", "classify", "c.py", doc="Accuracy.",
        metrics={"top1": "Accuracy [0 to 1, higher is better]: accuracy", HOSTILE: HOSTILE},
    ),
    report.MethodView("worlds", "shapes", "s.py", doc="Shapes."),
    report.MethodView(
        "worlds", "unseen", HOSTILE, doc=HOSTILE, details=HOSTILE, parameters=((HOSTILE, HOSTILE, HOSTILE),),
        vouches=(Vouch("worlds/unseen", HOSTILE, HOSTILE),),
    ),
]  # fmt: skip


def rows(study: report.StudyView, seeds: int = 5) -> list[list]:
    """Observations of every arm and seed: top1, and robust at four severities."""
    draw = np.random.default_rng(len(study.name))
    table = []
    for offset, arm in enumerate(study.arms):
        for seed in range(seeds):
            top1 = 0.6 + 0.04 * offset + 0.01 * draw.standard_normal()
            table.append([study.name, arm, seed, "top1", "", repr(float(top1))])
            for severity in range(4):
                value = top1 - (0.1 - 0.02 * offset) * severity
                table.append([study.name, arm, seed, "robust", severity, repr(float(value))])
    return table


TESTED = "16 px shapes, 78k-parameter ResNet"
BLOCK = "0-4"


def store(results: Path, study: report.StudyView, table: list[list], tested: str = TESTED) -> None:
    """Write one study's evidence and its figure."""
    store_evidence(results, study, table, tested)
    page = report.read_page(Sources.read(results), study, catalogue.load()[study.paper])
    (results / "figures").mkdir(exist_ok=True)
    (results / "figures" / f"{study.name}.svg").write_bytes(report.figure(page))


def store_evidence(results: Path, study: report.StudyView, table: list[list], tested: str = TESTED) -> None:
    """Write observations, arrays and provenance of one study, in a single block."""
    folder = results / "observations" / study.name / BLOCK
    folder.mkdir(parents=True)
    with open(folder / "observations.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *table])
    np.savez(folder / "arrays.npz", **{"erm/map": np.linspace(-1, 1, 128).reshape(2, 8, 8)})
    provenance = {
        "format": FORMAT,
        "study": study.name,
        "scale": results.name,
        "block": BLOCK,
        "draws": "judged",
        "rows": len(table),
        "sha256": hashlib.sha256((folder / "observations.csv").read_bytes()).hexdigest(),
        "arrays_sha256": hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest(),
        "study_sha256": "ab" * 32,
        "code": {"assay.augment.mixup": "cd" * 8},
        "recipes": {"resnet-shapes-erm-3f9a2c1e": ["01" * 32]},
        "data": {},
        "seeds": sorted({row[2] for row in table}),
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "platform": {"system": "Linux", "machine": "x86_64", "cpu": tested[:4], "vendor": "maker", "features": ["avx2", "fma"]}
        | {"device": "cpu", "threads": 1, "precision": "float32", "torch": "2.13.0", "timm": "1.0.20"},
        "trained_on": ["1 x cpu"],
        "commit": "868a97f",
        "dirty": False,
        "date": "2026-11-01",
        "cost": {"train_core_s": 42.5, "networks": {"resnet-shapes-erm-3f9a2c1e": 42.5}, "measure_core_s": 3.25},
        "tested": tested,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))


def keep(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Give stored evidence other arrays."""
    np.savez(folder / "arrays.npz", **arrays)
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["arrays_sha256"] = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    (folder / "provenance.json").write_text(json.dumps(provenance))


def keep_pictures_and_losses(folder: Path) -> None:
    """Evidence with training curves of all arms, and images with maps and filters of two."""
    draw = np.random.default_rng(0)
    arrays = {f"{arm}/training_loss": np.linspace(2 + k, 1, 8) + draw.random((5, 8)) for k, arm in enumerate(("erm", "treated"))}
    arrays |= {f"{arm}/images": draw.random((14, 3, 16, 16)) for arm in ("erm", "treated")}
    arrays |= {"treated/maps": draw.normal(size=(14, 1, 16, 16)), "erm/filters": draw.normal(size=(8, 3, 3, 3))}
    keep(folder, arrays)


FIRST_CLAIM = {
    "supported": ("holds", None),
    "partly": ("fails", "absent"),
    "not supported": ("fails", "reversed"),
    "open": ("open", None),
    "invalid": ("open", None),
}


def claim(text: str, kind: str, word: str, reason: str | None, effect: float, half: float, **more) -> dict:
    """A claim's record, with one of every number the pages show."""
    return {
        "text": text,
        "kind": kind,
        "word": word,
        "reason": reason,
        "p": {name: [0.0002] for name in ("holds", "fails", "reversed", "absent")},
        "P": {"holds": 0.0004, "fails": 0.9, "reversed": 1.0, "absent": 1.0},
        "q": {"holds": 0.0031, "fails": 1.0},
        "decided_at": None if word == "open" else 5,
        "effect": effect,
        "interval": [effect - half, effect + half],
        "spread": 0.0063,
        "margin": 0.01,
        "values": [effect + 0.004 * step for step in (-2, -1, 0, 1, 2)],
        "sides": [0.5 + effect, 0.5],
        "needs": 17 if word == "open" else None,
        "note": "",
    } | more


def judged(study: report.StudyView, word: str, shift: float = 0.04) -> dict:
    """A verdict with a difference and an equivalence; the equivalence holds unless the paper is not supported."""
    second = ("fails", "reversed") if word == "not supported" else ("holds", None)
    expectations = [
        claim(study.expect[0], "difference", *FIRST_CLAIM[word], shift, 0.008),
        claim(
            "-0.01 < shuffled.top1 - erm.top1 < 0.01", "equivalence", *second, 0.002, 0.006, bounds=[-0.01, 0.01], note=HOSTILE
        ),
    ]
    passed = word != "invalid"
    control = {"text": study.controls[0], "passed": passed, "mean": 0.6, "interval": [0.58, 0.62], "values": [0.6] * 5}
    record = {
        "study": study.name,
        "paper": study.paper,
        "word": word,
        "first": 0,
        "first_look": 5,
        "seeds": 5,
        "earlier": 0,
        "looks": [5],
        "gate": {"a": 0.0004, "b": 0.0003, "cut": 0.031},
        "note": "",
        "controls": [control],
        "expectations": expectations,
        "secondary": [claim("treated.top1 > shuffled.top1", "difference", "holds", None, shift, 0.01)],
        "rests_on": {},
        "release": None if word == "open" else {"word": word, "count": "", "seeds": 5, "same_evidence": True, "same_text": True},
    }
    return record | {"count": counted(record)}


def write_world(
    results: Path, name: str, spec: dict, images: np.ndarray, classes: list[str], wrong: int = 0, factor: str = "mask"
) -> None:
    """A world's card: the images take the classes in turn, and the first `wrong` of them are given the next class's label."""
    folder = results / "worlds" / name
    folder.mkdir(parents=True)
    truth = np.arange(len(images)) % len(classes)
    labels = np.where(np.arange(len(images)) < wrong, (truth + 1) % len(classes), truth)
    np.savez(folder / "samples.npz", images=images, labels=labels, clean_label=truth)
    factors = {"clean_label": {"shape": [], "dtype": "int64"}, factor: {"shape": [16, 16], "dtype": "uint8"}}
    sizes = {"test": 1024, "train": 1536, "valid": 256}
    splits = {split: {"samples": size, "image": list(images.shape[1:]), "factors": factors} for split, size in sizes.items()}
    card = {"world": spec, "classes": classes, "splits": splits, "sha256": "ef" * 32, "core_seconds": 0.1}
    (folder / "card.json").write_text(json.dumps(card))


def write_worlds(results: Path) -> None:
    """A noisy world in colours, signals that leave [0, 1], and a hostile card."""
    draw = np.random.default_rng(0)
    noisy = {"plug": "worlds/shapes", "parameters": {"label_noise": 0.4, "size": 16}}
    colours = draw.random((24, 3, 16, 16), np.float32)
    write_world(results, "shapes-0a1b2c3d", noisy, colours, ["circle", "square", "star"], wrong=1)
    signals = {"plug": "worlds/dsd", "parameters": {}}
    write_world(results, "dsd-0a1b2c3d", signals, draw.normal(size=(24, 1, 1, 128)).astype(np.float32), ["minus", "plus"])
    hostile = {"plug": f"worlds/{HOSTILE.replace('/', '')}", "parameters": {HOSTILE: HOSTILE}}
    write_world(results, "hostile-0a1b2c3d", hostile, np.ones((2, 2, 9, 9), np.float32), [HOSTILE], factor=HOSTILE)


def write_results(results: Path) -> list[report.StudyView]:
    """Write a results folder with a study of every kind; returns the studies."""
    write_worlds(results)
    studies, verdicts, failed = [], {}, {}
    for number, (name, (paper, family, verdict)) in enumerate(VERDICTS.items()):
        figure = {"lines": {"xlabel": "severity"}} if verdict == "not supported" else {"bars": {}}
        stale = ("augment/mixup.py changed",) if verdict == "invalid" else ()
        study = view(name, paper, family, figure=figure, stale=stale, missing=tuple(f"evidence is stale: {r}" for r in stale))
        if verdict == "not supported":
            study = replace(study, evidence="archived", other_scales=("gpu",), stale=None)
        store(results, study, rows(study))
        if name == "mixup":
            keep_pictures_and_losses(results / "observations" / name / BLOCK)
        verdicts[name] = judged(study, verdict, 0.05 - 0.025 * number)
        studies.append(study)
    hostile_arms = {HOSTILE: {}, "erm": {HOSTILE: HOSTILE}}
    hostile = view(
        "hostile", "P223", HOSTILE, question=HOSTILE, arms=hostile_arms,
        recipes={HOSTILE: {HOSTILE: HOSTILE}, "erm": {HOSTILE: [HOSTILE]}},
        protocol=HOSTILE, metrics={HOSTILE: f"{HOSTILE} [{HOSTILE}, neither is better]: {HOSTILE}"},
        notes=HOSTILE, baseline=HOSTILE, expect=(HOSTILE,), controls=(HOSTILE,), yaml=HOSTILE, stale=(HOSTILE,),
        worlds={"hostile-0a1b2c3d": (HOSTILE,)}, missing=(HOSTILE,), introduces=(Introduction(HOSTILE, HOSTILE, (HOSTILE,)),),
    )  # fmt: skip
    store(results, hostile, [["hostile", HOSTILE, seed, HOSTILE, "", 0.5] for seed in range(5)], tested=HOSTILE)
    verdicts["hostile"] = judged(hostile, "supported")
    studies += [hostile, view("blurpool", "P244", "conv-architectures"), view("aum", "P234", "data-quality", yaml=HOSTILE)]
    failed["aum"] = {"stage": "train", "error": f"TrainingError: {HOSTILE}", "log": "results/laptop/logs/train/aum.log"}
    (results / "verdicts.json").write_text(json.dumps({"alpha": 0.05, "studies": verdicts, "failed": failed}))
    return studies


def write_many(results: Path, count: int) -> list[report.StudyView]:
    """A results folder of the size to come: `count` judged studies, each on a paper of its own, with figures of true size."""
    write_worlds(results)
    verdicts, studies = {}, []
    for number, paper in enumerate(list(catalogue.load().values())[:count]):
        arms = {f"arm_{arm}": {"augment": {"mixup": {"alpha": float(arm)}}} for arm in range(6)}
        study = view(f"study-{number:03d}", paper.id, paper.family, arms=arms, expect=("arm_1.top1 > arm_0.top1",))
        store_evidence(results, study, rows(study))
        verdict = judged(study, list(VERDICTS.values())[number % len(VERDICTS)][2])
        verdicts[study.name] = verdict | {"expectations": verdict["expectations"] * 3}
        studies.append(study)
    (results / "figures").mkdir()
    drawn = report.figure(report.read_page(Sources.read(results), studies[0], catalogue.load()[studies[0].paper]))
    for study in studies:
        (results / "figures" / f"{study.name}.svg").write_bytes(drawn)
    (results / "verdicts.json").write_text(json.dumps({"alpha": 0.05, "studies": verdicts, "failed": {}}))
    return studies


def hostile_catalogue() -> catalogue.Catalogue:
    """The real catalogue with hostile text in every field of one paper."""
    papers = catalogue.load()
    hostile = replace(
        papers["P223"], title=HOSTILE, kind=HOSTILE, family=HOSTILE, method=HOSTILE, claim=HOSTILE, code="javascript:alert(3)",
        numbers=[{"what": HOSTILE, "value": HOSTILE, "baseline": HOSTILE}], datasets=[HOSTILE], metrics=[HOSTILE], scope=HOSTILE,
    )  # fmt: skip
    return catalogue.Catalogue([hostile if paper.id == "P223" else paper for paper in papers.values()])
