"""Pictures for the report: what a model gets wrong, labels it doubts, maps of its reasons; each as text that a page holds."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from assay.scorecard.images import opened
from assay.scorecard.measuring import Measured
from assay.scorecard.names import short
from assay.scorecard.request import Model
from assay.storage.files import read_json

SIDE = 112  # pixels of a thumbnail
MOST = 12  # pictures in a row of the report


def wrong_shown(model: Model, results: Mapping[str, Measured], shown: Path) -> list[dict[str, Any]]:
    """The wrong answers of most confidence: a picture, its label, the answer, how sure."""
    if "accuracy" not in results or not (shown / "about.json").exists():
        return []
    kept = results["accuracy"].pictures
    found = _answered(model, shown, kept["wrong"][:MOST], kept["wrong_answers"])
    return [{**each, "sure": float(sure)} for each, sure in zip(found, kept["wrong_sure"], strict=False)]


def suspects_shown(model: Model, results: Mapping[str, Measured], shown: Path) -> list[dict[str, Any]]:
    """The labels that are doubted most: a picture, its label, the answer."""
    kept = results["labels"].pictures if "labels" in results else {}
    if "suspect" not in kept or not (shown / "about.json").exists():
        return []
    return _answered(model, shown, kept["suspect"][:MOST], kept["suspect_answers"])


def confused_shown(model: Model, results: Mapping[str, Measured], shown: Path) -> list[dict[str, Any]]:
    """The pairs of classes that are confused most often: label, answer, how often."""
    kept = results["accuracy"].pictures if "accuracy" in results else {}
    if "confused" not in kept or not (shown / "about.json").exists():
        return []
    names = model.logits or read_json(shown / "about.json")["classes"]
    return [
        {"label": short(names[label]), "answer": short(names[answer]), "count": count}
        for label, answer, count in kept["confused"].tolist()
    ]


def _answered(model: Model, shown: Path, rows: np.ndarray, answers: np.ndarray) -> list[dict[str, Any]]:
    """Images of these rows with their labels, and what the model takes them for."""
    about = read_json(shown / "about.json")
    names, (world, _) = model.logits or about["classes"], opened(shown, torch.device("cpu"))
    return [
        {
            "picture": picture(world.test.images[int(row)].numpy()),
            "label": short(about["classes"][int(world.test.labels[int(row)])]),
            "answer": short(names[int(answer)]),
        }
        for row, answer in zip(rows, answers, strict=False)
    ]


def maps_shown(results: Mapping[str, Measured], shown: Path) -> list[dict[str, Any]]:
    """The first images that were explained, and each method's map of them."""
    kept = results["attributions"].pictures if "attributions" in results else {}
    methods = {name.removeprefix("map "): maps for name, maps in kept.items() if name.startswith("map ")}
    if not methods or not (shown / "about.json").exists():
        return []
    count = len(next(iter(methods.values())))
    images = opened(shown, torch.device("cpu"))[0].test.images[:count].numpy()
    rows = [{"name": "image", "pictures": [picture(image) for image in images]}]
    return rows + [{"name": name, "pictures": [picture(heat(one)) for one in maps]} for name, maps in methods.items()]


def heat(values: np.ndarray) -> np.ndarray:
    """A map (H, W) as an image (1, H, W), its 99th percentile white."""
    top = np.quantile(values, 0.99)
    return np.clip(values / top, 0, 1)[None] if top > 0 else np.zeros_like(values)[None]


def picture(pixels: np.ndarray) -> str:
    """An image (C, H, W) in [0, 1] as a data URI, at most SIDE pixels wide; small ones enlarged without smoothing."""
    values = (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    way = Image.Resampling.NEAREST if image.width < SIDE else Image.Resampling.BILINEAR
    buffer = io.BytesIO()
    image.resize((SIDE, SIDE), way).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
