"""The short form of make fuzz: what once broke something, and inputs changed at random, through everything that reads them."""

import importlib
import importlib.util

import pytest
from fuzz import TARGETS, plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c2f_head_pose.parameters import ParameterError, Parameters

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=6)


@pytest.mark.parametrize('name', TARGETS)
def test_a_targets_modules_are_read_without_importing_it(name):
    """Atheris instruments imports, so the list must be a literal; every module of it exists."""
    modules = plain.modules_of(name)
    assert modules == importlib.import_module(f'fuzz.{name}').MODULES
    assert all(importlib.util.find_spec(module) for module in modules)


@pytest.mark.parametrize('name', TARGETS)
def test_damaged_input_is_refused_as_documented(name):
    assert plain.fuzz(name, seconds=1.0) >= len(plain.starting_inputs(name))


@pytest.mark.parametrize('name', TARGETS)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_as_documented(name, data):
    plain.run(plain.check_of(name), data)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(values=st.dictionaries(st.sampled_from([*Parameters.__dataclass_fields__]), _VALUES, max_size=4))
def test_a_parameter_set_is_refused_by_name_or_taken_as_it_is(values):
    """What is accepted is the value given: as a number where a whole one was given for it, as a tuple where a list was."""
    try:
        made = Parameters.from_values(values)
    except ParameterError as error:
        assert any(name in str(error) for name in values)
        return
    assert all(getattr(made, name) == (tuple(value) if isinstance(value, list) else value) for name, value in values.items())


def test_a_defect_is_reported_with_its_input_and_so_is_a_hang(monkeypatch):
    with pytest.raises(plain.DefectError, match=r"ZeroDivisionError.*b'x'"):
        plain.run(lambda _: 1 / 0, b'x')

    def hang(_):
        while True:
            pass

    monkeypatch.setattr(plain, 'LONGEST_S', 0.05)
    with pytest.raises(plain.DefectError, match='took more than'):
        plain.run(hang, b'x')
