"""Which room may import which: arrows go down the lists below, never up and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PACKAGE = (
    ('command_name', 'config_files', 'counting', 'geometry', 'images', 'interruption', 'memory', 'provenance', 'stages', 'files', 'tiles'),
    ('params_files', 'stamp_order', 'topic_names', 'transforms', 'types', 'models'),
    ('camera', 'crop', 'frame', 'turn'),
    ('engine', 'options', 'rectification', 'sight'),
    ('change', 'decode', 'depth', 'depth_head_finder', 'depth_pairing', 'depth_registration', 'detect', 'draw', 'parameters', 'smooth'),
    ('demo_files', 'depth_alignment', 'mounting', 'pose_messages', 'primary_face', 'track'),
    ('finder',),
    ('estimator',),
    ('attention', 'demo', 'recordings'),
    ('evaluation',),
    ('bench', 'ros'),
    ('old_commands',),
)
"""Rooms of c2f_head_pose from the lowest floor to the highest; a room imports from floors below its own."""
TRAINING = (
    ('command', 'synthetic'),
    ('models',),
    ('data',),
    ('datasets',),
    ('loop',),
    ('paper',),
    ('evaluation',),
    ('exporting',),
    ('studies',),
    ('portraits', 'render', 'train', 'evaluate'),
    ('export', 'join', 'average', 'tables', 'campaign', 'session'),
    ('gpu_session',),
)
"""Rooms of training, likewise; one-line modules of old names may import anything."""


def modules(package: str) -> dict[str, Path]:
    paths = (ROOT / package).rglob('*.py')
    return {'.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path for path in paths}


MODULES = {**modules('c2f_head_pose'), **modules('training')}


def imports(name: str, path: Path) -> Iterator[str]:
    """The project's modules that a module imports, at its top or inside a function."""
    package = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = '.'.join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                target = f'{source}.{alias.name}'
                if target in MODULES or source in MODULES:
                    yield target if target in MODULES else source


ARROWS = {name: set(imports(name, path)) - {name} for name, path in MODULES.items()}


def room(name: str) -> str:
    return name.split('.')[1] if '.' in name else ''


def is_old_name(path: Path) -> bool:
    return path.read_text().startswith('"""The old name of')


@pytest.mark.parametrize(('package', 'floors'), [('c2f_head_pose', PACKAGE), ('training', TRAINING)])
def test_every_room_is_listed_and_imports_only_from_floors_below(package, floors):
    height = {name: floor for floor, names in enumerate(floors) for name in names}
    wrong = []
    for name, path in modules(package).items():
        if not room(name) or is_old_name(path):
            continue
        assert room(name) in height, f'{name}: put its room into the list of floors'
        wrong += [
            f'{name} -> {target}'
            for target in ARROWS[name]
            if target.startswith(package + '.') and room(target) != room(name) and height[room(target)] >= height[room(name)]
        ]
    assert not wrong, wrong


def test_every_relative_import_names_a_module_that_exists():
    """An import inside a function fails only when the function runs: `from .datasets` in training/evaluation names no module."""
    missing = []
    for name, path in MODULES.items():
        package = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                target = '.'.join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
                if target not in MODULES and not (ROOT / target.replace('.', '/')).is_dir():
                    missing.append((name, node.lineno, target))
    assert not missing


def test_the_installed_package_imports_nothing_from_training():
    assert not [
        (name, target)
        for name, targets in ARROWS.items()
        for target in targets
        if name.startswith('c2f_head_pose') and target.startswith('training')
    ]


def test_no_modules_import_one_another_in_a_circle():
    """Depth-first search; a module met again while its own imports are still being followed closes a circle."""
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, ' -> '.join((*way[way.index(name) :], name))
        if name not in done:
            for target in sorted(ARROWS[name]):
                follow(target, (*way, name))
            done.add(name)

    for name in sorted(MODULES):
        follow(name, ())


def test_the_rooms_of_training_stay_few_and_their_arrows_counted():
    """The flat folder had 58 rooms and 180 arrows between them; a new arrow between rooms needs a reason and a new count here.
    The newest: `join` and `average` make checkpoints of checkpoints."""
    arrows = {
        (room(name), room(target))
        for name, targets in ARROWS.items()
        for target in targets
        if name.startswith('training.') and target.startswith('training.') and room(name) != room(target) and not is_old_name(MODULES[name])
    }
    assert len(arrows) <= 66, sorted(arrows)
