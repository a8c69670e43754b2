"""The old name of `python -m training.synthetic.recordings.evaluation`, kept for scripts that use it."""

from training.synthetic.recordings.evaluation import main

if __name__ == '__main__':
    raise SystemExit(main())
