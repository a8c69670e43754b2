"""The old name of `python -m training.studies.conditions`, kept for scripts that use it."""

from training.studies.conditions import main

if __name__ == '__main__':
    raise SystemExit(main())
