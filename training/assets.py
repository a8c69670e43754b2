"""The old name of `python -m training.synthetic.assets`, kept for scripts that use it."""

from training.synthetic.assets.fetch import main

if __name__ == '__main__':
    raise SystemExit(main())
