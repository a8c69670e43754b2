"""The old name of `python -m training.studies.crop_width`, kept for scripts that use it."""

from training.studies.crop_width import main

if __name__ == '__main__':
    raise SystemExit(main())
