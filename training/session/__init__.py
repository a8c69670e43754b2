"""The parts of `python -m training.gpu_session`."""
