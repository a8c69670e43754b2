"""What the campaign tells its commands: time, device, seeds."""

import sys

import pytest

from training import campaign
from training.campaign import JOBS, ROBUSTNESS_SEED, Campaign
from training.paper.experiments import ROBUSTNESS, of_table
from training.synthetic.layout import Manifest, shard_path, write_manifest
from training.synthetic.people.identities import population
from training.synthetic.presets import PRESETS


def make(folder, commands, **changes):
    def run(command):
        commands.append(command)
        return 0

    presets = {job.preset for job in JOBS} | {'depth', *ROBUSTNESS}
    return Campaign(folder, 10.0, True, dict.fromkeys(presets, 100), run=run, **changes)


def value(command, option):
    return command[command.index(option) + 1]


def table(number):
    return next(job for job in JOBS if job.table == number)


def test_a_tables_time_is_shared_by_its_trainings(tmp_path):
    """Table 3 trains four networks; the three rows of table 6 are one network."""
    for number, trainings in ((3, 4), (6, 1)):
        assert len({row.name for row in of_table(number)}) == trainings
        commands = []
        make(tmp_path, commands, render=False).do_table(table(number), 60.0)
        assert float(value(commands[-1], '--minutes')) == 60 / trainings


def test_every_command_is_given_the_device(tmp_path):
    commands = []
    one = make(tmp_path, commands, device='cpu')
    (one.data('wide') / 'shard-00000').mkdir(parents=True)
    one.run = lambda command: commands.append(command) or 1  # training fails: what is after it needs its checkpoint
    one.render = False
    one.do_model(JOBS[0], 10.0)
    one.do_ablations(JOBS[-1])
    one.do_table(table(4), 10.0)
    commands.append(one.render_command('wide'))
    assert [c[2] for c in commands] == ['training.train', 'training.studies.ablations', 'training.tables', 'training.render']
    assert all(c[0] == sys.executable and value(c, '--device') == 'cpu' for c in commands)


def test_robustness_sets_show_other_people_than_training_sets(tmp_path):
    """Each of a table's three sets is rendered with the other seed, also where one of the training seed lies there already."""
    commands = []
    one = make(tmp_path, commands)
    manifest = Manifest('illumination_angle', 1, 1, 1)
    write_manifest(one.data('illumination_angle'), manifest)
    shard_path(one.data('illumination_angle'), 0).mkdir()
    (shard_path(one.data('illumination_angle'), 0) / 'samples.npz').touch()
    one.do_table(table(6), 10.0)
    seeds = {value(c, '--preset'): '--seed' in c and int(value(c, '--seed')) for c in commands if 'training.render' in c}
    assert seeds == {'paper': False, **dict.fromkeys(ROBUSTNESS[:3], ROBUSTNESS_SEED)}
    paper, robust = PRESETS['paper'], PRESETS['blur']
    trained, tested = (population(p.identities, p.male_share, seed) for p, seed in ((paper, 1), (robust, ROBUSTNESS_SEED)))
    assert not {person.seed for person in trained} & {person.seed for person in tested}


def test_a_reduced_campaign_trains_the_tables_on_a_cpu_beside_each_other_and_resumes(tmp_path):
    """Every table once, then further seeds of the four whose conclusions need them; the first of each pass alone, because the others
    share its networks, then two at a time. What failed is run again, what is done is not."""
    commands = []
    folder = tmp_path / 'out'
    one = make(folder, commands, scale='medium', parallel=2, render=False, results=tmp_path / 'results')
    one.gpu = False
    one.run = lambda command: commands.append(command) or int(command[3] == '2')  # table 2 fails
    assert one.go() is False
    numbers = [c[3] for c in commands]
    assert numbers[0] == '6' and sorted(numbers[:7]) == ['2', '3', '4', '5', '6', '7', '8']
    assert numbers[7] == '4' and sorted(numbers[8:]) == ['2', '3', '5']
    assert ['--seeds' in c and value(c, '--seeds') == '1' for c in commands] == [True] * 7 + [False] * 4
    assert all(value(c, '--scale') == 'medium' and '--minutes' not in c and value(c, '--results').endswith('results') for c in commands)
    commands.clear()
    again = make(folder, commands, scale='medium', parallel=2, render=False)
    assert again.go() and [c[3] for c in commands] == ['2', '2']
    assert not (folder / 'campaign.json').exists() and (folder / 'campaign_medium.json').exists()


def test_a_campaign_of_some_jobs_leaves_the_others_for_later(tmp_path, capsys):
    commands = []
    one = make(tmp_path, commands, scale='small', render=False, only=('table7', 'table4'))
    assert one.go() and [c[3] for c in commands] == ['7', '4']
    with pytest.raises(SystemExit):
        campaign.main(['--scale', 'small', '--out', str(tmp_path), '--jobs', 'table9'])
    assert '--jobs table9: there are table6' in capsys.readouterr().err


def test_a_reduced_campaign_renders_what_its_scale_needs(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(campaign.Campaign, 'go', lambda self: asked.append((self.counts, self.scale)) or True)
    assert campaign.main(['--scale', 'medium', '--out', str(tmp_path)]) == 0
    ((counts, scale),) = asked
    assert scale == 'medium' and (counts['paper'], counts['depth']) == (60_000, 20_000)


def test_a_campaign_on_a_gpu_renders_the_papers_sets_in_the_papers_sizes(tmp_path, monkeypatch):
    """The tests of Tables 6 and 7 read 10,000 of each robustness set at most: 300,000 of each would take 719 GB."""
    asked = []
    monkeypatch.setattr(campaign.Campaign, 'go', lambda self: asked.append(self.counts) or True)
    monkeypatch.setattr(campaign.torch.cuda, 'is_available', lambda: True)
    assert campaign.main(['--out', str(tmp_path)]) == 0
    assert campaign.main(['--out', str(tmp_path), '--count', '500']) == 0
    own, given = asked
    assert (own['wide'], own['paper'], own['depth'], own['illumination_angle']) == (300_000, 310_000, 60_000, 11_000)
    assert set(given.values()) == {500}
