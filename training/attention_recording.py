"""The old name of `python -m training.synthetic.recordings.attention`, kept for scripts that use it."""

from training.synthetic.recordings.attention import main

if __name__ == '__main__':
    raise SystemExit(main())
