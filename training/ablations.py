"""The old name of `python -m training.studies.ablations`, kept for scripts that use it."""

from training.studies.ablations import main

if __name__ == '__main__':
    raise SystemExit(main())
