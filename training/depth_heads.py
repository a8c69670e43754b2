"""The old name of `python -m training.studies.depth_heads`, kept for scripts that use it."""

from training.studies.depth_heads import main

if __name__ == '__main__':
    raise SystemExit(main())
