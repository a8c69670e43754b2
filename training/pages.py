"""The old name of `python -m training.evaluation.pages`, kept for scripts that use it."""

from training.evaluation.pages import main

if __name__ == '__main__':
    raise SystemExit(main())
