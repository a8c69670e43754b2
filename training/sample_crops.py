"""The old name of `python -m training.exporting.sample_crops`, kept for scripts that use it."""

from training.exporting.sample_crops import main

if __name__ == '__main__':
    main()
