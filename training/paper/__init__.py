"""The figures of Wang et al. 2019 and the experiments of its tables."""
