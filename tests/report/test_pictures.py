"""Pictures that protocols kept: which arrays are shown, in which colours, once for arms that share them; captions and words."""

import io
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import synthetic
import torch
from PIL import Image

from assay import report
from assay.attributions.gradient import gradient
from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.language import catalogue
from assay.models.allconv import AllConv
from assay.pipeline.sources import Sources
from assay.protocols.axioms import axioms
from assay.protocols.localisation import localisation
from assay.report.pictures import is_picture, kind_of, pictures, seen
from assay.report.worlds import GAP, TILE
from assay.training.network import Network
from assay.worlds.shapes import shapes


def page(arrays: dict) -> report.Page:
    study = synthetic.view("mixup", "P166", "training-recipes")
    return report.Page(study, catalogue.load()["P166"], pd.DataFrame(), arrays, {}, {})


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., :3].astype(int)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((6, 3, 8, 8), True), ((6, 1, 8, 8), True), ((6, 2, 8, 8), False), ((6, 8, 8), False), ((9,), False), ((0, 3, 8, 8), False)],
)
def test_what_counts_as_pictures(shape, shown):
    assert is_picture(np.zeros(shape)) == shown


def test_neither_names_nor_missing_numbers_are_pictures():
    assert not is_picture(np.full((1, 1, 8, 8), np.nan))
    assert not is_picture(np.full((1, 1, 8, 8), "x"))
    assert not is_picture(np.zeros((1, 1, 4096, 8)))


def test_the_name_tells_the_kind():
    kinds = {"images": "image", "real": "image", "maps": "map", "maps_other": "map", "filters": "filter", "mapsize": "image"}
    assert {name: kind_of(name) for name in kinds} == kinds


def test_maps_are_red_above_zero_blue_below_and_white_at_zero():
    maps = np.zeros((1, 1, 1, 3))
    maps[0, 0, 0] = (-2, 0, 1)
    values, _ = seen(maps, "map")
    assert values.shape == (1, 3, 1, 3)
    negative, zero, positive = values[0, :, 0].T
    assert negative[2] > negative[0] + 0.2
    assert zero == pytest.approx(np.ones(3), abs=0.04)
    assert positive[0] > positive[2] + 0.2
    assert seen(5 * maps, "map")[0] == pytest.approx(values), "each map is scaled by its largest value"
    assert np.isfinite(seen(np.zeros((2, 1, 4, 4)), "map")[0]).all()


def test_filters_are_grey_at_zero():
    filters = np.array([-0.5, 0, 0.25]).reshape(1, 1, 1, 3)
    assert seen(filters, "filter")[0].ravel() == pytest.approx([0, 0.5, 0.75])


def test_images_are_left_alone_unless_they_leave_the_unit_interval():
    image = np.array([0.2, 0.4]).reshape(1, 1, 1, 2)
    assert seen(image, "image") == (pytest.approx(image), "")
    assert seen((255 * image).astype(np.uint8), "image")[0] == pytest.approx(image, abs=0.01)
    values, said = seen(10 * image - 3, "image")
    assert values.ravel() == pytest.approx([0, 1])
    assert said == "Values from −1.00 to 1.00 are drawn from black to white."


def test_an_image_stands_above_its_map_with_equal_columns():
    draw = np.random.default_rng(0)
    images, maps = np.zeros((3, 1, 8, 8)), np.zeros((3, 1, 8, 8))
    images[1], maps[1] = 1, draw.random((1, 8, 8)) + 1
    rows = pictures(page({"treated/maps": maps, "treated/images": images, "erm/images": images, "erm/other": np.zeros(4)}))
    assert [(row.name, row.arms) for row in rows] == [("images", ("erm", "treated")), ("maps", ("treated",))]
    above, below = (pixels(row.png) for row in rows)
    assert above.shape == below.shape == (TILE, 3 * TILE + 2 * GAP, 3)
    second = slice(TILE + GAP, 2 * TILE + GAP)
    assert (above[:, second] == 255).all()
    assert below[:, second, 2].mean() < 200 < below[:, :TILE, 2].mean()
    assert rows[1].alt == "3 maps (maps) of treated, 8 by 8 pixels."


def test_a_study_has_a_bounded_number_of_small_rows():
    draw = np.random.default_rng(0)
    rows = pictures(page({f"arm{k}/images": draw.random((40, 3, 8, 8)) for k in range(30)}))
    assert len(rows) == 24
    assert {(row.count, row.shown) for row in rows} == {(40, 12)}
    assert max(len(row.png) for row in rows) < 15_000


def test_the_page_shows_them_without_being_asked(tmp_path):
    study = synthetic.view("mixup", "P166", "training-recipes", worlds={})
    results = tmp_path / "results" / "laptop"
    synthetic.store_evidence(results, study, synthetic.rows(study))
    images = np.random.default_rng(0).random((20, 3, 8, 8))
    arrays = {f"{synthetic.HOSTILE.replace('/', '')}{k}/images": images[k:] for k in range(13)}
    synthetic.keep(results / "observations" / "mixup" / "0-4", arrays | {"erm/maps": images.mean(1, keepdims=True)})
    report.build(Sources.read(results), results / "report", [study], catalogue.load())
    text = (results / "report" / "studies" / "mixup.html").read_text()
    shown = re.findall(r'<img src="\.\./(figures/mixup\.\d+\.png)" alt="([^"]+)" loading="lazy">', text)
    assert len(shown) == 14
    assert "2 more rows" in text
    assert ", 12 of 20" in text
    assert all((results / "report" / path).read_bytes().startswith(b"\x89PNG") for path, _ in shown)
    assert "<script>alert" not in text
    synthetic.keep(results / "observations" / "mixup" / "0-4", {})
    report.build(Sources.read(results), results / "report", [study], catalogue.load())
    assert 'id="pictures"' not in (results / "report" / "studies" / "mixup.html").read_text()
    assert list((results / "report" / "figures").glob("*.png")) == []


# What protocols keep


def kept(protocol, world, **parameters) -> dict:
    torch.manual_seed(0)
    channels, size = world.train.images.shape[1:3]
    network = Network(AllConv(channels, len(world.classes), size, norm=False), torch.zeros(channels), torch.ones(channels)).eval()
    arrays = {}
    arm = SimpleNamespace(
        network=network.requires_grad_(False),
        world=to_tensors(world, torch.device("cpu")),
        device=torch.device("cpu"),
        generator=lambda *names: torch.Generator().manual_seed(0),
        keep=lambda name, array: arrays.update({name: array.numpy()}),
    )
    list(protocol(arm, **parameters))
    return arrays


def test_localisation_keeps_an_image_for_every_map():
    world = shapes(Draw("test", 0), train=16, test=16, objects=2, distractors=0)
    arrays = kept(localisation, world, attribution=gradient, count=8, occluded=2)
    assert arrays["images"].shape == (12, 3, 16, 16)
    assert arrays["maps"].shape == (12, 1, 16, 16)
    assert arrays["filters"].shape == (8, 3, 3, 3)
    assert (arrays["images"][0::2] == world.test.images[:6]).all()
    assert (arrays["images"][1::2] == world.test.images[:6]).all()


def test_axioms_keeps_an_image_for_every_map():
    world = shapes(Draw("test", 0), train=16, test=16)
    arrays = kept(axioms, world, attribution=gradient, count=16)
    assert arrays["images"].shape == (12, 3, 16, 16)
    assert arrays["maps"].shape == (12, 1, 16, 16)
    assert (arrays["images"] == world.test.images[:12]).all()
