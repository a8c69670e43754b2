"""Stand-in heads in the format of turned portraits."""

from dataclasses import replace

import numpy as np

from c2f_head_pose import geometry
from training.data.portrait_turns import turns_folder
from training.synthetic import stand_in
from training.synthetic.dataset import read_splits
from training.synthetic.layout import PORTRAITS, finished_shards, read_manifest, shard_path, write_manifest

BASE = np.stack([geometry.rotation_from_ypr_deg((2 * i, -i, i)) for i in range(10)])
"""(10, 3, 3) own pose of each person, as the labels have it."""
FIT = geometry.rotation_from_vector(np.array([0, np.radians(5), 0]))
"""An own pose by the fit is that of the labels, turned by 5 degrees about y."""


def write_portraits(folder, count, size=64, shard_size=260, limits_deg=(20, 15, 8), seed=0):
    """Writes pictures of 10 people, one of them validates and one tests."""
    stand_in.write(folder, count, size, seed, limits_deg, shard_size)
    manifest = read_manifest(folder)
    (folder / 'manifest.json').unlink()
    write_manifest(folder, replace(manifest, preset=PORTRAITS))
    splits = read_splits(folder)
    rows = [f'{person},{splits[person]},person{10 * seed + person}' for person in range(10)]
    (folder / 'identities.csv').write_text('\n'.join(['id,split,name', *rows]) + '\n')
    turns_folder(folder).mkdir()
    for shard in finished_shards(folder, manifest):
        with np.load(shard_path(folder, shard) / 'samples.npz') as samples:
            D = samples['R_cam_head'] @ np.swapaxes(BASE[samples['identity']], 1, 2)
        np.savez(turns_folder(folder) / f'{shard_path(folder, shard).name}.npz', D=D, R_fit=BASE @ FIT)
