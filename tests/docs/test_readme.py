"""The README against the repository: its table, its links, its commands."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from training.evaluation import pages

ROOT = Path(__file__).parents[2]
README = (ROOT / 'README.md').read_text()
PARAMETERS = (ROOT / 'docs' / 'parameters.md').read_text()
PAGES = [
    ROOT / 'README.md',
    ROOT / 'LICENSES.md',
    ROOT / 'RELIABILITY.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'training').glob('*.md')),
    *sorted((ROOT / 'c2f_head_pose' / 'models').glob('*.md')),
]


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page):
    links = re.findall(r'\]\((?!https?://|#)([^)#]+)', page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_section_leads_to_a_heading(page):
    """GitHub's anchor of a heading: lower case, without punctuation, blanks as hyphens."""
    wrong = []
    for name, anchor in re.findall(r'\]\((?!https?://)([^)#]*)#([^)]+)\)', page.read_text()):
        target = page.parent / name if name else page
        if target.suffix == '.md':
            headings = re.findall(r'^#+ (.+)$', re.sub(r'```.*?```', '', target.read_text(), flags=re.S), re.M)
            if anchor not in {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}:
                wrong.append(f'{name}#{anchor}')
    assert wrong == []


def test_the_parameter_table_is_the_generated_one():
    table = subprocess.run(
        [sys.executable, '-m', 'c2f_head_pose.ros.parameters', '--markdown'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    shown = PARAMETERS.split('ros.parameters --markdown -->\n')[1].split('<!-- end of parameters -->')[0]
    assert shown == table


def test_every_command_that_the_readme_names_exists():
    modules = set(re.findall(r'python -m ((?:c2f_head_pose|training)[\w.]*)', README))
    assert modules
    for module in modules:
        path = ROOT / module.replace('.', '/')
        assert path.with_suffix('.py').exists() or (path / '__main__.py').exists(), module
    targets = set(re.findall(r'`?make (\w+)', README))
    makefile = (ROOT / 'Makefile').read_text()
    assert [t for t in targets if not re.search(rf'^{t}:', makefile, re.M)] == []


def test_the_readme_has_no_placeholders():
    assert re.findall(r'@[A-Z]+@', README) == []


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda page: page.name)
def test_the_tables_of_figures_are_those_of_the_files(page):
    text = page.read_text()
    assert pages.renewed(text) == text, 'run python -m training.evaluation.pages'


def test_a_table_of_a_page_is_written_anew_and_a_foreign_one_is_refused():
    begin, end = '<!-- over time: python -m training.evaluation.pages -->', '<!-- end of over time -->'
    assert pages.renewed(f'a\n{begin}\nold\n{end}\nb') == f'a\n{begin}\n{pages.over_time()}\n{end}\nb'
    with pytest.raises(ValueError, match='no table'):
        pages.renewed('<!-- weather: python -m training.evaluation.pages -->')
    with pytest.raises(ValueError, match='has no'):
        pages.renewed(begin)


def test_the_readme_fits_on_two_screens():
    assert len(README.splitlines()) <= 130


def test_the_eight_parameters_of_the_readme_have_their_defaults():
    """`| `name` | `default` |` in both tables; README says `empty` for an empty text."""
    shown = dict(re.findall(r'^\| `(\w+)` \| (\S+) \|', README, re.M))
    full = dict(re.findall(r'^\| `(\w+)` \| (\S+) \|', PARAMETERS, re.M))
    assert len(shown) == 8
    assert {name: full[name].replace("`''`", 'empty') for name in shown} == shown


def figures_on_file(model: str, crop: str) -> dict[str, str]:
    """The newest row of a network on AFLW2000."""
    path = ROOT / 'training' / 'results' / ('c2f.csv' if model == 'c2f' else 'c2f_edge.csv')
    rows = csv.DictReader(path.open())
    return [
        row
        for row in rows
        if row['model'].split()[0] == model and ',' not in row['model'] and (row['set'], row['crop']) == ('aflw2000', crop)
    ][-1]


@pytest.mark.parametrize('model', ['c2f', 'c2f_edge', 'c2f_edge_int8'])
def test_our_rows_of_the_results_are_the_figures_on_file(model):
    """Version and mean absolute errors, as `| `c2f` 0.7.0 | trained on | published | landmarks | detector |`."""
    version, *shown = re.search(rf'^\| `{model}` (\S+) \| [^|]+ \| (\S+) \| (\S+) \| (\S+) \|$', README, re.M).groups()
    rows = [figures_on_file(model, crop) for crop in ('published', 'landmarks', 'detector')]
    assert [f'{float(row["mae"]):.2f}' for row in rows] == shown
    assert {row['model'] for row in rows} == {f'{model} {version}'}


def test_the_errors_by_angle_and_the_stated_deviations_are_those_with_the_detector():
    edge, accurate = figures_on_file('c2f_edge', 'detector'), figures_on_file('c2f', 'detector')
    shown = re.search(r'errs by (\S+) degrees in yaw, (\S+) in roll and (\S+) in pitch', README).groups()
    assert [f'{float(edge[angle]):.1f}' for angle in ('yaw', 'roll', 'pitch')] == [*shown]
    once, twice = re.search(r'stated standard deviation on (\d+) % of real faces, and within twice that on (\d+) %', README).groups()
    assert [f'{100 * float(accurate[k]):.0f}' for k in ('within_1', 'within_2')] == [once, twice]


def test_the_errors_in_profile_and_of_rolled_heads_are_those_on_file_by_their_angles_and_as_rotations():
    """`c2f` beyond 60 degrees of yaw and 45 of roll, and within: the angles grow threefold, the rotation's error not even twofold."""
    rows = csv.DictReader((ROOT / 'training' / 'results' / 'real_faces.csv').open())
    found = {row['measure']: f'{float(row["value"]):.1f}' for row in rows if (row['set'], row['network']) == ('aflw2000', 'c2f')}
    shown = re.search(
        r'60 degrees of yaw `c2f` errs by (\S+) degrees instead of (\S+), beyond 45 of roll by (\S+) instead of (\S+) '
        r'\(as rotations (\S+) instead of (\S+) and (\S+) instead of (\S+)\)',
        README,
    ).groups()
    places = [f'{where} {angle}' for angle in ('yaw 60', 'roll 45') for where in ('beyond', 'within')]
    assert [*shown] == [found[f'{name} {place}'] for name in ('MAE', 'geodesic') for place in places]


def test_the_version_of_the_manifest_is_the_changelogs_newest_and_each_network_states_that_of_its_card():
    """A network has the version of the release that brought it, in its card and in its file."""
    from c2f_head_pose.engine.onnxruntime_engine import open_session
    from c2f_head_pose.models.registry import model_path

    version = re.search(r'<version>(.*)</version>', (ROOT / 'package.xml').read_text())[1]
    newest = re.search(r'^(\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)\n-+$', (ROOT / 'CHANGELOG.rst').read_text(), re.M)[1]
    assert version == newest
    for name in ('c2f', 'c2f_edge', 'c2f_depth'):
        card = re.search(rf'# {name} (\S+)', (ROOT / 'c2f_head_pose' / 'models' / f'{name}.md').read_text())[1]
        stated = open_session(model_path(name), 1).get_modelmeta().custom_metadata_map['version']
        assert card == stated
        assert [int(part) for part in card.split('.')] <= [int(part) for part in version.split('.')]
