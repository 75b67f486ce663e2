"""What worlds refuse: splits smaller than their classes, and ranges that are out of order or reach too far."""

import pytest

from assay.errors import StudyError

# Images a split needs, one a class or a group, by the parameter that sets their number where there is one.
SMALLEST = {
    "cue_conflict": (7, {}),
    "dead_leaves": (4, {"classes": 4}),
    "defects": (2, {}),
    "digits": (10, {}),
    "dsd": (2, {}),
    "faces": (2, {}),
    "fashion_mnist": (10, {}),
    "fractals": (5, {"classes": 5}),
    "frequency_cues": (3, {"classes": 3}),
    "mnist": (10, {}),
    "photos": (9, {}),
    "pose_grid": (10, {"rolls": 2, "tilts": [0.0], "scales": [0.3]}),
    "posed": (10, {}),
    "shapes": (6, {"classes": 6}),
    "spectrum_noise": (2, {"alphas": [1.0, 2.0]}),
    "textures": (3, {}),
    "urban_shapes": (8, {}),
}


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_a_split_smaller_than_the_classes_is_refused(make, name, part):
    least, options = SMALLEST[name]
    make(name, **{"train": 40, "test": 40, **options, part: least})
    with pytest.raises(StudyError, match=f"world {name}: {part} = {least - 1} cannot be used"):
        make(name, **{"train": 40, "test": 40, **options, part: least - 1})


# What a range may be, by world and parameter; a bound itself is allowed.
BOUNDS = {
    "cue_conflict": {
        "position": (0, 1),
        "scale": (0.01, 1),
        "rotation": (-360, 360),
        "contrast": (0, 0.6),
        "texture_contrast": (0, 0.6),
    },
    "posed": {"yaw": (-60, 60), "pitch": (-60, 60), "roll": (-360, 360), "scale": (0.05, 1), "position": (0, 1)},
    "pose_grid": {"tilts": (-60, 60), "scales": (0.05, 1), "position": (0, 1)},
    "shapes": {"position": (0, 1), "scale": (0.01, 1), "rotation": (-360, 360), "contrast": (0, 0.6)},
}


@pytest.mark.parametrize(("name", "parameter"), [(name, each) for name, bounds in BOUNDS.items() for each in bounds])
def test_a_range_may_reach_its_bounds_and_no_further(make, name, parameter):
    low, high = BOUNDS[name][parameter]
    values = list if name == "pose_grid" and parameter != "position" else tuple
    small = {"train": 10, "test": 10, "size": 8, **({"rolls": 2} if name == "pose_grid" else {})}
    make(name, **small, **{parameter: values((low, high))})
    for wrong in ((low - 0.01, high), (low, high + 0.01), *([(high, low)] if values is tuple else [])):
        with pytest.raises(StudyError, match=f": {parameter} = "):
            make(name, **small, **{parameter: values(wrong)})
