"""The figures that Wang et al. 2019 print, to show beside ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables.

    Attributes:
        title: the comparison.
        tested_on: what the paper's figures are measured on; ours are measured on other pictures, which their protocols name.
        columns: names of the figures, as in our results.
        rows: label to figures in the order of the columns; None if the paper prints none.
        quoted: rows that the paper quotes of other groups, whose methods are not trained here.
    """

    title: str
    tested_on: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    quoted: tuple[str, ...] = ()

    def cells(self, row: str) -> dict[str, float | None]:
        """The figures of a row by their columns; all None for a row that the paper does not have."""
        return dict(zip(self.columns, self.rows.get(row, (None,) * len(self.columns)), strict=True))


ANGLES = ('pitch', 'yaw', 'roll')
"""In the order of the paper's tables."""
_ERRORS = ('pitch', 'pitch_std', 'yaw', 'yaw_std', 'roll', 'roll_std', 'ms')

TABLES = {
    2: PaperTable(
        'classification strategies, accuracy %',
        "its own renders, and (`real`) Biwi, Pointing'04 and Boston together",
        ('synthetic', 'real'),
        {
            'pitch, yaw, roll': (76.95, 37.14),
            'pitch, yaw': (99.92, 92.35),
            'pitch, roll': (65.25, 59.33),
            'yaw, roll': (68.79, 62.16),
            'pitch': (98.11, 92.03),
            'yaw': (98.50, 91.46),
            'roll': (77.47, 61.38),
        },
    ),
    3: PaperTable(
        'classifiers, accuracy %',
        "its own renders, Biwi, Pointing'04 and Boston",
        ('synthetic', 'biwi', 'pointing04', 'boston'),
        {
            'AlexNet': (99.89, 80.91, 76.71, 71.75),
            'VGGNet': (92.30, 84.02, 69.29, 80.05),
            'ResNet-50': (98.88, 89.63, 89.00, 90.45),
            'Our method': (99.92, 90.16, 89.86, 92.86),
        },
    ),
    4: PaperTable(
        'regression, degrees',
        'Biwi',
        tuple(f'biwi {c}' for c in _ERRORS),
        {
            'Drouard et al.': (8.85, 9.97, 8.7, 9.0, None, None, None),
            'Ricci et al.': (10.5, None, 9.1, None, None, None, None),
            'Liu et al.': (11.35, 8.29, 9.65, 8.04, 10.42, 5.81, 0.49),
            'Ahn et al.': (11.89, 14.35, 7.12, 11.71, 12.78, 9.66, 0.68),
            'Our method': (5.48, 3.23, 4.76, 4.33, 4.29, 3.30, 0.56),
        },
        ('Drouard et al.', 'Ricci et al.'),
    ),
    5: PaperTable(
        'training data, accuracy % and degrees',
        'Biwi',
        ('biwi coarse', *(f'biwi {c}' for c in _ERRORS[:6])),
        {
            'synthetic only': (64.71, 16.47, 10.14, 6.14, 8.32, 21.11, 4.75),
            'real only': (59.47, 29.51, 12.19, 5.51, 14.56, 22.47, 3.01),
            'both': (90.16, 5.48, 3.23, 4.76, 4.33, 4.29, 3.30),
        },
    ),
    6: PaperTable(
        'illumination, degrees and accuracy %',
        'its own renders',
        (*_ERRORS, 'coarse'),
        {
            'angles': (6.23, 5.13, 7.20, 5.02, 5.44, 4.21, 0.57, 93.55),
            'intensities': (6.09, 4.94, 8.25, 5.30, 5.33, 5.47, 0.62, 96.36),
            'colours': (6.92, 4.42, 9.57, 5.62, 4.99, 6.75, 0.53, 90.20),
        },
    ),
    7: PaperTable(
        'blur and occlusion, degrees and accuracy %',
        'renders and photographs',
        (*_ERRORS, 'coarse'),
        {'blurred': (6.39, 7.11, 8.07, 7.75, 6.30, 5.97, 0.60, 89.05), 'occlusion': (7.41, 8.71, 8.48, 8.09, 7.88, 4.13, 0.67, 71.29)},
    ),
    8: PaperTable(
        'depth, degrees',
        "Biwi's depth",
        tuple(f'biwi {c}' for c in _ERRORS),
        {
            'Fanelli et al.': (5.2, 7.7, 6.6, 12.6, 6.0, 7.1, 2.79),
            'Wang et al.': (8.8, 14.3, 8.5, 11.1, 7.4, 10.8, 40.0),
            'Borghi et al.': (4.5, 4.7, 5.3, 5.2, 7.5, 7.3, 29.0),
            'Our method': (4.23, 5.13, 5.16, 5.32, 5.39, 2.61, 1.89),
        },
        ('Fanelli et al.', 'Wang et al.', 'Borghi et al.'),
    ),
}
"""Table 5's baselines I and III are trained on synthetic data only, II and IV on real data only; 'Wang et al.' of Table 8 is [42].

The paper's own text says otherwise once: it compares 64.71 % and 59.47 % with 92.35 %, Table 2's figure, where Table 5 has 90.16 %.
"""

ROBUSTNESS_ROWS = {
    'illumination_angle': (6, 'angles'),
    'illumination_intensity': (6, 'intensities'),
    'illumination_colour': (6, 'colours'),
    'blur': (7, 'blurred'),
    'occlusion': (7, 'occlusion'),
}
"""Table and row of each of the renderer's robustness presets; the paper's blurred pictures are real ones, and its masked ones real too."""
