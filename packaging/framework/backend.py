"""The build backend of pyproject.toml, as PEP 517 asks for: it needs no index."""

import pathlib
import re
import zipfile


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    text = pathlib.Path("pyproject.toml").read_text()
    name, version = (re.search(rf'^{key} = "(.*)"$', text, re.M)[1] for key in ("name", "version"))
    base = f"{name.replace('-', '_')}-{version.replace('-', '_')}"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: envdrift=={version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: envdrift\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "".join(f"{base}.dist-info/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD")),
    }
    wheel = f"{base}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, wheel), "w") as z:
        for file, content in files.items():
            z.writestr(f"{base}.dist-info/{file}", content)
    return wheel
