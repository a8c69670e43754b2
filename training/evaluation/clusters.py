"""Standard errors of means over pictures that are not independent, because several show the same person."""

from __future__ import annotations

import numpy as np


def clustered_se(values: np.ndarray, cluster: np.ndarray) -> float:
    """Standard error of the mean of `values`, whatever the values of one cluster have in common.

    sqrt(sum over clusters of (sum over its samples of (value - mean))^2) / n: the sandwich estimator of a mean (Liang and Zeger 1986,
    Longitudinal data analysis using generalized linear models, Biometrika 73). With one sample a cluster it is the population standard
    deviation over sqrt(n). It covers chance among clusters: of few, a dozen, it is itself uncertain, and rather too small.

    Args:
        values: (N,) one figure of each sample.
        cluster: (N,) the sample's cluster, such as its person.
    """
    _, number = np.unique(cluster, return_inverse=True)
    return float(np.sqrt((np.bincount(number, values - values.mean()) ** 2).sum()) / len(values))
