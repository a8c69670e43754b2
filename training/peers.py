"""The old name of `python -m training.studies.peers`, kept for scripts that use it."""

from training.studies.peers import main

if __name__ == '__main__':
    raise SystemExit(main())
