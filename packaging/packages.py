#!/usr/bin/env python3
"""packages.py VERSION DIR: makes npm packages, Python wheels and a nix file from the
archives that are in DIR, and puts winget's file in order. The same archives give the
same bytes.
"""
import base64, gzip, hashlib, io, json, pathlib, re, sys, tarfile, zipfile

HERE = pathlib.Path(__file__).parent
# goreleaser's name: npm's, and the tag of a wheel. The programs are static, and Go
# needs macOS 12.
PLATFORMS = {
    "linux_amd64": ("linux-x64", "manylinux2014_x86_64.musllinux_1_1_x86_64"),
    "linux_arm64": ("linux-arm64", "manylinux2014_aarch64.musllinux_1_1_aarch64"),
    "darwin_amd64": ("darwin-x64", "macosx_12_0_x86_64"),
    "darwin_arm64": ("darwin-arm64", "macosx_12_0_arm64"),
    "windows_amd64": ("win32-x64", "win_amd64"),
    "windows_arm64": ("win32-arm64", "win_arm64"),
}
# Of the earlier envdrift, so that its install lines work. Every wheel has all of it.
EXTRAS = ("all", "aws", "azure", "dev", "docs", "gcp", "hashicorp", "precommit", "test-integration", "vault")


def read_archive(file):
    """Returns the programs of an archive, name to bytes, and its licence."""
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as z:
            files = {n: z.read(n) for n in z.namelist()}
    else:
        with tarfile.open(file) as t:
            files = {m.name: t.extractfile(m).read() for m in t if m.isfile()}
    return {n: b for n, b in files.items() if re.fullmatch(r"envdrift(-vault-\w+)?(\.exe)?", n)}, files["LICENSE"]


def write_npm(folder, manifest, files):
    """Writes a package as npm pack does; files are name to (bytes, mode)."""
    files = {"package.json": ((json.dumps(manifest, indent=2) + "\n").encode(), 0o644)} | files
    name = manifest["name"].replace("@", "").replace("/", "-")
    with open(folder / f"{name}-{manifest['version']}.tgz", "wb") as out, \
            gzip.GzipFile("", "wb", 6, out, mtime=0) as z, tarfile.open(fileobj=z, mode="w", format=tarfile.PAX_FORMAT) as t:
        for path, (content, mode) in files.items():
            info = tarfile.TarInfo("package/" + path)
            info.size, info.mode, info.mtime = len(content), mode, 499162500  # as npm
            t.addfile(info, io.BytesIO(content))


def python_version(version):
    """0.1.0-rc.1 as PEP 440 spells it: 0.1.0rc1; a snapshot is a development release."""
    release, _, pre = version.partition("-")
    if m := re.fullmatch(r"(alpha|beta|rc)\.(\d+)(?:\.(\d+))?", pre):
        word = {"alpha": "a", "beta": "b"}.get(m[1], m[1])
        return f"{release}{word}{m[2]}" + (f".post{m[3]}" if m[3] else "")
    if m := re.fullmatch(r"pre\.(\d+)", pre):
        return f"{release}.dev{m[1]}"
    if pre:
        sys.exit(f"packages.py: no spelling for Python of {version}")
    return release


def write_wheel(folder, version, tag, programs, licence):
    base = f"envdrift-{version}"
    tags = [f"py3-none-{t}" for t in tag.split(".")]
    manifest = json.loads((HERE / "npm/package.json").read_text())
    metadata = [
        "Metadata-Version: 2.1", "Name: envdrift", f"Version: {version}", f"Summary: {manifest['description']}",
        f"Home-page: {manifest['homepage']}", f"License: {manifest['license']}", "Requires-Python: >=3.7",
        *(f"Provides-Extra: {e}" for e in EXTRAS), "Description-Content-Type: text/markdown", "", (HERE / "pypi/README.md").read_text(),
    ]
    files = {f"{base}.data/scripts/{n}": b for n, b in programs.items()} | {
        f"{base}.dist-info/licenses/LICENSE": licence,
        f"{base}.dist-info/METADATA": "\n".join(metadata).encode(),
        f"{base}.dist-info/WHEEL": "".join(["Wheel-Version: 1.0\nGenerator: envdrift\nRoot-Is-Purelib: false\n", *(f"Tag: {t}\n" for t in tags)]).encode(),
    }
    record = f"{base}.dist-info/RECORD"
    digest = lambda b: base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b"=").decode()
    files[record] = "".join([*(f"{n},sha256={digest(b)},{len(b)}\n" for n, b in files.items()), f"{record},,\n"]).encode()
    with zipfile.ZipFile(folder / f"{base}-py3-none-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)  # of 1980
            # pip makes a script executable only if its mode has the type of file as well
            info.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            z.writestr(info, content)


def sort_installers(manifest):
    """winget's manifest with its installers in one order: goreleaser's is that of a Go map.

    >>> sort_installers("Installers:\\n  - A: x\\n    B:\\n      - C\\n  - A: a\\nType: t\\n")
    'Installers:\\n  - A: a\\n  - A: x\\n    B:\\n      - C\\nType: t\\n'
    """
    head, installers, tail = re.fullmatch(r"(.*^Installers:\n)(.*?)(^\w.*)", manifest, re.M | re.S).groups()
    return head + "".join(sorted(re.split(r"^(?=  - )", installers, flags=re.M))) + tail


def main(version, folder):
    npm, pypi = folder / "npm", folder / "pypi"
    npm.mkdir()
    pypi.mkdir()
    manifest = json.loads((HERE / "npm/package.json").read_text()) | {"version": version}
    nix = (HERE / "envdrift.nix.in").read_text().replace("@version@", version)
    for name, (node, tag) in PLATFORMS.items():
        archive = folder / f"envdrift_{version}_{name}.{'zip' if 'windows' in name else 'tar.gz'}"
        nix = nix.replace(f"@{name}@", hashlib.sha256(archive.read_bytes()).hexdigest())
        programs, licence = read_archive(archive)
        if len(programs) != 5:
            sys.exit(f"packages.py: {archive} has the programs {sorted(programs)}")
        system, cpu = node.split("-")
        write_npm(npm, {k: manifest[k] for k in ("version", "license", "homepage", "repository")} | {
            "name": f"@envdrift/{node}", "description": f"envdrift for {node}", "os": [system], "cpu": [cpu],
            "preferUnplugged": True,
        }, {"LICENSE": (licence, 0o644)} | {f"bin/{n}": (b, 0o755) for n, b in programs.items()})
        write_wheel(pypi, python_version(version), tag, programs, licence)
    winget = folder / "managers/envdrift.envdrift.installer.yaml"
    winget.write_text(sort_installers(winget.read_text()))
    if left := re.findall(r"@\w+@", nix):
        sys.exit(f"packages.py: the nix file lacks {left}")
    (folder / "managers/envdrift.nix").write_text(nix)
    manifest["optionalDependencies"] = {f"@envdrift/{node}": version for node, _ in PLATFORMS.values()}
    write_npm(npm, manifest, {
        "bin/envdrift.js": ((HERE / "npm/bin/envdrift.js").read_bytes(), 0o755),
        "README.md": ((HERE / "npm/README.md").read_bytes(), 0o644), "LICENSE": (licence, 0o644),
    })


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
