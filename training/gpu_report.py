"""The old name of `python -m training.exporting.gpu_report`, kept for scripts that use it."""

from training.exporting.gpu_report import main

if __name__ == '__main__':
    raise SystemExit(main())
