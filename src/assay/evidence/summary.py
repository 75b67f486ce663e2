"""Means and 95% intervals over seeds, as tables and figures show them."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

LEVEL = 0.95


def summarise(observations: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds with Student's 95% interval for each arm, metric and x, in order of first appearance.

    Returns columns arm, metric, x, mean, low, high, seeds; low and high are NaN for a single seed.
    """
    groups = observations.groupby(["arm", "metric", "x"], sort=False, dropna=False)["value"]
    table = groups.agg(mean="mean", deviation="std", seeds="count").reset_index()
    with np.errstate(invalid="ignore"):
        quantile = stdtrit(np.maximum(table["seeds"] - 1, 1), 0.5 + LEVEL / 2)
        half = np.where(table["seeds"] > 1, quantile * table["deviation"] / np.sqrt(table["seeds"]), np.nan)
    return table.drop(columns="deviation").assign(low=table["mean"] - half, high=table["mean"] + half)


def plain(observations: pd.DataFrame) -> pd.DataFrame:
    """The rows without an x: one number an arm, seed and metric."""
    return observations[observations["x"].isna()]


def curves(observations: pd.DataFrame) -> pd.DataFrame:
    """The rows with an x: a metric along a coordinate."""
    return observations[observations["x"].notna()]
