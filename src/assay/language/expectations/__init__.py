"""Expectations and controls: comparisons over observations, read with `ast` and evaluated seed by seed, never `eval`ed.

    mixup.top1 > erm.top1                            a difference between arms
    erm.top1 > 0.3                                   a difference from a number
    -0.01 < a.top1 - b.top1 < 0.01                   equivalence: the middle term lies between the numbers
    a.top1[5] - b.top1[5] > a.top1[0] - b.top1[0]    a metric at one coordinate x (a number or a quoted string)
    -0.6 < loglog(cnn.samples) < -0.4                a function of the whole series of a metric over x

Inside `slope loglog spearman mean min max`, `arm.metric` is the series over x and arithmetic is point by point;
outside, it is the one value without x. Reading needs the standard library alone, as `assay check` reads every study.
"""

from assay.language.expectations.expectation import Expectation, check_margins, margin_of
from assay.language.expectations.reading import Side, compared, parse, said_once
from assay.language.expectations.series import Coordinate, Series, coordinate
from assay.language.expectations.terms import Reference, Table, Term, cells

__all__ = [
    "Coordinate",
    "Expectation",
    "Reference",
    "Series",
    "Side",
    "Table",
    "Term",
    "cells",
    "check_margins",
    "compared",
    "coordinate",
    "margin_of",
    "parse",
    "said_once",
]
