"""The old name of `python -m c2f_head_pose.evaluation.attention.drive`, kept for scripts that use it."""

from .attention.drive import main

if __name__ == '__main__':
    main()
