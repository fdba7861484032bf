"""Small files in the formats of SVHN and of CIFAR-10 in Parquet: the folders svhn and cifar10-parquet beside this file.

    pip install numpy scipy pyarrow pillow && python make_svhn.py

Made with scipy 1.17.1, pyarrow 26.0.1, pillow 13.0.0. The images are no photographs: the value of row r, column c, channel k of
image n is (7 r + 3 c + 101 k + 17 n) mod 256, its label n mod 10 (SVHN writes 10 for 0).
"""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from scipy.io import savemat

HERE = Path(__file__).resolve().parent


def images(first, count):
    """Images first, first + 1, … in MATLAB's order: row, column, channel, image."""
    r, c, k, n = np.ogrid[:32, :32, :3, first : first + count]
    return ((7 * r + 3 * c + 101 * k + 17 * n) % 256).astype(np.uint8)


def mat(name, first, count, dtype, compress, extra=None):
    """X and y as in the SVHN files; `extra` are variables before them."""
    labels = np.arange(first, first + count) % 10
    y = np.where(labels == 0, 10, labels).astype(dtype)[:, None]
    folder = HERE / "svhn"
    folder.mkdir(exist_ok=True)
    variables = {**(extra or {}), "X": images(first, count), "y": y}
    savemat(folder / name, variables, do_compression=compress)


def png(image):
    """PNG bytes of an array."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "png")
    return out.getvalue()


def parquet(name, first, count, **options):
    """Rows as on the Hugging Face hub."""
    x = images(first, count)
    rows = range(first, first + count)
    img = [{"bytes": png(np.ascontiguousarray(x[..., i])), "path": None} for i in range(count)]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(img, image), "label": pa.array([n % 10 for n in rows], pa.int64())})
    folder = HERE / "cifar10-parquet" / "plain_text"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name, **options)


mat("train_32x32.mat", 5, 7, np.uint8, True)
mat("test_32x32.mat", 40, 6, np.float64, False)
others = {"a": {"b": [1, 2], "c": "text"}, "d": np.array([["e", 1]], object), "f": np.array([1 + 2j]), "X2": np.zeros(3)}
mat("extra_32x32.mat", 20, 5, np.float64, True, others)

parquet("train-00000-of-00002.parquet", 0, 5, row_group_size=2)
parquet("train-00001-of-00002.parquet", 5, 2, use_dictionary=False, compression="none")
parquet("test-00000-of-00001.parquet", 30, 3, data_page_version="2.0")
