"""docs/evaluation.md names every figure of metrics.json, every column of frames.csv and every exit code."""

import re
import shlex
from pathlib import Path

import yaml
from evaluated import scored

from c2f_head_pose.attention.monitor import Reason, State
from c2f_head_pose.evaluation import gate, verdict
from c2f_head_pose.evaluation.attention.timeline import Span
from c2f_head_pose.evaluation.command_line import parser
from c2f_head_pose.evaluation.evaluate import Evaluated
from c2f_head_pose.evaluation.results import recording_record, result_record
from c2f_head_pose.evaluation.summary import summarise

TEXT = (Path(__file__).parents[2] / 'docs' / 'evaluation.md').read_text()


def keys_of(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in ('notes', 'ci95'):
                yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_every_key_of_metrics_json_is_documented():
    one, alignment = scored()
    span = Span(100.0, 119.9, State.ATTENTIVE, Reason.ROAD, 'road_ahead')
    evaluated = Evaluated('x', 'x', one, (), '/truth', alignment, attention=[span])
    record = result_record([], {}, [recording_record(evaluated)], summarise([one]), None, [])
    assert record['recordings'][0]['attention']
    spreads = {'n', 'mean', 'std', 'p50', 'p90', 'p95', 'p99', 'max'}
    named = set(re.findall(r'`(\w+)`', TEXT)) | spreads | {f'within_{k}_{a}' for k in (1, 2) for a in 'xyz'} | {'head', 'camera'}
    assert set(keys_of(record)) <= named, set(keys_of(record)) - named


def test_every_exit_code_and_option_of_truth_is_documented():
    for code in (verdict.PASSED, verdict.GATE_TRIPPED, verdict.NOTHING, verdict.PARTIAL, verdict.UNDECIDED, verdict.INTERRUPTED):
        assert f'| {code} |' in TEXT
    options = {s for action in parser()._actions for s in action.option_strings if s.startswith('--')}
    assert set(re.findall(r'`(--[a-z0-9-]+)', TEXT)) <= options | {'--help'}


def test_the_command_of_the_ci_example_is_accepted():
    """The folder that is uploaded is the one that is written, and each condition can be read."""
    steps = yaml.safe_load(re.search(r'```yaml\n(steps:.*?)```', TEXT, re.S)[1])['steps']
    (command,) = [shlex.split(step['run']) for step in steps if step.get('run', '').startswith('evaluate_bag')]
    options = parser().parse_args(command[1:])
    assert len(options.fail_if) == 2
    for condition in options.fail_if:
        gate.check(condition)
    assert steps[-1]['with']['path'] == str(options.output)
