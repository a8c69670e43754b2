"""The pages on cameras, depth, tuning and troubleshooting against the node: its states, parameters and launch arguments."""

import ast
import re
from pathlib import Path

import pytest

from training.datasets.user_csv import CAMERA_COLUMNS, CSV_COLUMNS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
PAGES = ('axes', 'cameras', 'depth', 'tuning', 'troubleshooting')
RANGES = dict(re.findall(r'^\| `(\w+)` \| `.*?` \| (.*?) \|', (DOCS / 'parameters.md').read_text(), re.M))


def text(page):
    return (DOCS / f'{page}.md').read_text()


def test_troubleshooting_has_a_row_for_each_state_of_the_node():
    state = pytest.importorskip('c2f_head_pose.ros.diagnostics').State
    rows = re.findall(r'^\| `(\w+)` \| .+ \| .+ \|$', text('troubleshooting').split('## The states')[1].split('\n## ')[0], re.M)
    assert sorted(rows) == sorted(one.key for one in state)


@pytest.mark.parametrize('page', PAGES)
def test_each_parameter_that_a_page_sets_exists_and_takes_the_value(page):
    """`name: value` in backticks or in a yaml block; values of a choice must be among its choices."""
    settings = re.findall(r'`(\w+): ([^`]+)`', text(page)) + re.findall(r'^ {4}(\w+): (.+)$', text(page), re.M)
    for name, value in settings:
        assert name in RANGES, f'{name} is no parameter of head_pose'
        named = re.fullmatch(r'((?:[\w]+, )*\w+) or (\w+)', RANGES[name])
        if named:
            assert value in (*named[1].split(', '), named[2]), f'{name}: {value} is not among {RANGES[name]}'


@pytest.mark.parametrize('page', PAGES)
def test_each_launch_argument_that_a_page_gives_exists(page):
    joined = text(page).replace('\\\n', ' ')
    for file, given in re.findall(r'ros2 launch c2f_head_pose (\w+\.launch\.py)([^\n#]*)', joined):
        tree = ast.parse((ROOT / 'launch' / file).read_text())
        arguments = next(node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == 'ARGUMENTS')
        names = {key.value for key in arguments.keys}
        assert [name for name in re.findall(r'(\w+):=', given) if name not in names] == [], file


@pytest.mark.parametrize('page', PAGES)
def test_each_script_that_a_page_runs_exists(page):
    assert [one for one in re.findall(r'python (docs/\w+\.py)', text(page)) if not (ROOT / one).exists()] == []
    for module in re.findall(r'python -m ((?:c2f_head_pose|training)[\w.]*)', text(page)):
        path = ROOT / module.replace('.', '/')
        assert path.with_suffix('.py').exists() or (path / '__main__.py').exists(), module


def test_a_networks_time_and_the_cameras_example_are_those_of_the_tables():
    """With preprocessing, as in RELIABILITY.md's 'Beside others': 5.98 / 1.45 = 4.1. Two cameras at 15 Hz: 30 images of 3.22 ms."""
    readme, reliability, tuning = (ROOT / 'README.md').read_text(), (ROOT / 'RELIABILITY.md').read_text(), text('tuning')
    c2f, edge, int8 = (
        float(re.search(rf'^\| {name} \S+ \| [^|]+ \| (\S+) \(', reliability, re.M)[1]) + 1e-9
        for name in ('c2f', 'c2f_edge', 'c2f_edge_int8')
    )
    times = f"{c2f / edge:.1f} times the network's time"
    assert times in readme and f'{times} ({c2f:.1f} ms a face)' in tuning
    assert f'takes {edge:.1f} ms a face, in int8 {int8:.1f}, `c2f` {c2f:.1f};' in readme
    assert f'the network takes {int8 / edge:.1f} of its time on this processor ({int8:.1f} for {edge:.1f} ms a face' in tuning
    image = float(re.search(r'^\| `c2f_edge` \| \S+ \| (\S+) \|', tuning, re.M)[1])
    assert f'2 x 15 x ({image:.1f} + 4) ms, {0.03 * (image + 4):.2f} of a core' in tuning
    assert re.search(r'takes (\d+ MB)', tuning)[1] == re.search(r'(\d+ MB) then', reliability)[1]


def test_what_half_of_min_face_px_costs_is_that_of_the_table_of_costs():
    """Stills at 1280x720: 55.9 / 17.4 = 3.2 times as long; medians of streams there: 3.5 / 3.0, a sixth longer. Each is the largest."""
    rows = re.findall(r'^\| (\d+x\d+) \| (\d+) \| (\S+) \| (\S+) \| \S+ \|$', text('finding_faces'), re.M)
    still, stream = ({(size, int(px)): float(row[k]) for size, px, *row in rows} for k in (0, 1))
    longer = [max(ms[key] / ms[key[0], 2 * key[1]] for key in ms if (key[0], 2 * key[1]) in ms) for ms in (still, stream)]
    assert longer == pytest.approx([3, 1 + 1 / 6], rel=0.1)
    stated = 'Half of it takes up to three times as long in a still, and up to a sixth longer in a stream'
    assert all(stated in ' '.join(text(page).split()) for page in ('finding_faces', 'parameters'))


def test_the_page_on_training_has_the_header_of_the_users_csv_file():
    page = (ROOT / 'training' / 'README.md').read_text()
    assert all(f'`{",".join(columns)}`' in page for columns in (CSV_COLUMNS, CAMERA_COLUMNS))


def test_the_index_lists_every_page():
    index = (DOCS / 'index.md').read_text()
    assert [page.name for page in sorted(DOCS.glob('*.md')) if page.name != 'index.md' and f']({page.name})' not in index] == []
