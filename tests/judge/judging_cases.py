"""Small studies and rows to judge."""

from assay.judging.verdicts import judge

A = [0.50, 0.52, 0.49, 0.51, 0.50]
WOBBLE = (0.001, -0.001, 0.002, -0.002, 0.0)


def rows(first=0, **arms):
    """Observations of metric `m`: rows(a=[0.1, 0.2]) gives arm a its values for seeds 0 and 1."""
    return [
        {"study": "s", "arm": arm, "seed": seed, "metric": "m", "x": "", "value": value}
        for arm, values in arms.items()
        for seed, value in enumerate(values, first)
    ]


def study(*expect, name="s", controls=(), margin=None, secondary=(), **more):
    return {
        "name": name,
        "paper": "P001",
        "expect": expect,
        "secondary": secondary,
        "controls": controls,
        "margin": margin or {},
        **more,
    }


def judged(*expect, controls=(), margin=None, secondary=(), more=None, **arms):
    """The judged record of one study alone in its report. more: further keys of the study."""
    text = study(*expect, controls=controls, margin=margin, secondary=secondary, **(more or {}))
    return judge([text], {"s": rows(**arms)})["studies"]["s"]


def claim(*expect, **more):
    """The record of the first claim of a study alone in its report."""
    return judged(*expect, **more)["expectations"][0]


def shifted(by, wobble=WOBBLE):
    """Arm values whose effects over A are `by` with standard deviation 0.0016."""
    return [value + by + noise for value, noise in zip(A, wobble, strict=True)]
