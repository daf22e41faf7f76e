#!/usr/bin/env bash
#
# A program in a wheel with mode 0755: pip installs it without the executable bits.
#
# Version:   pip 26.2, installer 1.1.0, uv 0.13.9 (Python 3.11)
# Guess:     what is in a wheel's data/scripts folder is made executable, for that is what
#            the folder is for; or the mode in the archive decides, and 0755 is one.
# Behaviour: pip and installer look at the file type of the archive entry first: unless
#            it says "regular file" (0100755, not 0755) the executable bits do not count.
#            Python's ZipInfo has no file type until one sets it. uv makes each file of
#            that folder executable.
# Seen:      mode 0755: pip -rw-r--r--, installer -rw-r--r--, uv -rwxr-xr-x
#            mode 0100755: pip -rwxr-xr-x, installer -rwxr-xr-x, uv -rwxr-xr-x
# Matters:   a release script that puts a compiled program into a wheel by zipfile tests
#            well with uv. With pip, and so with pre-commit, it is "Permission denied".
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
export HOME=$tmp XDG_CACHE_HOME=$tmp/cache PIP_DISABLE_PIP_VERSION_CHECK=1
umask 022
python3 -m venv tools
tools/bin/pip install --quiet uv==0.13.9

cat >wheel.py <<'END'
import base64, hashlib, sys, zipfile

info = "tool-1.0.dist-info"
files = {
    "tool-1.0.data/scripts/tool": b"#!/bin/sh\necho works\n",
    info + "/METADATA": b"Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n",
    info + "/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
}
record = ""
for name, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record += f"{name},sha256={digest},{len(data)}\n"
files[info + "/RECORD"] = (record + info + "/RECORD,,\n").encode()
with zipfile.ZipFile("tool-1.0-py3-none-any.whl", "w") as wheel:
    for name, data in files.items():
        entry = zipfile.ZipInfo(name)
        entry.external_attr = int(sys.argv[1], 8) << 16
        wheel.writestr(entry, data)
END

got=
for mode in 0755 0100755; do
	python3 wheel.py "$mode"
	for name in pip installer uv; do python3 -m venv --clear "$name"; done
	pip/bin/pip install --quiet pip==26.2
	pip/bin/pip install --quiet ./tool-*.whl
	installer/bin/pip install --quiet installer==1.1.0
	installer/bin/python -m installer tool-*.whl
	tools/bin/uv pip install --quiet --no-cache --python uv/bin/python ./tool-*.whl
	got+="mode $mode: pip $(stat -c %A pip/bin/tool), installer $(stat -c %A installer/bin/tool), uv $(stat -c %A uv/bin/tool)"$'\n'
done
got=${got%$'\n'}

want='mode 0755: pip -rw-r--r--, installer -rw-r--r--, uv -rwxr-xr-x
mode 0100755: pip -rwxr-xr-x, installer -rwxr-xr-x, uv -rwxr-xr-x'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
