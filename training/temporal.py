"""The old name of `python -m training.studies.temporal`, kept for scripts that use it."""

from training.studies.temporal import main

if __name__ == '__main__':
    raise SystemExit(main())
