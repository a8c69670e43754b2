"""Runs `python -m training.synthetic.assets`."""

from .fetch import main

if __name__ == '__main__':
    raise SystemExit(main())
