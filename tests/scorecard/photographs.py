"""The photographs of data/ that EfficientNet-Lite0 knows the objects of, as a folder of classes."""

from pathlib import Path

from PIL import Image

DATA = Path(__file__).parents[2] / "data"
LITE0 = DATA / "efficientnet_lite0.safetensors"
CLASSES = {
    "Egyptian_cat": "chelsea.png",
    "espresso": "coffee.png",
    "n03773504": "rocket.png",  # there are two missiles
    "daisy": "flower.png",
    "moped": "motorcycle_left.png",
    "palace": "china.png",
}


def written(root: Path) -> Path:
    """Two images of each class: the photograph, and the lower right three quarters of its sides."""
    for name, file in CLASSES.items():
        with Image.open(DATA / file) as opened:
            image = opened.convert("RGB")
        (root / name).mkdir(parents=True, exist_ok=True)
        image.save(root / name / "0.png", compress_level=1)
        image.crop((image.width // 4, image.height // 4, *image.size)).save(root / name / "1.png", compress_level=1)
    return root
