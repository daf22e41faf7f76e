#!/usr/bin/env python3
"""sbom.py ARCHIVE DOCUMENT: writes what the programs in ARCHIVE were built from, as
CycloneDX 1.6. Go's linker puts the list of modules into every program, so that this is
what is in there, not what a go.mod asks for. Needs go, and reads nothing else.
"""
import base64, hashlib, json, pathlib, subprocess, sys, tarfile, tempfile, urllib.parse, uuid, zipfile


def unpack(archive, folder):
    with zipfile.ZipFile(archive) if archive.suffix == ".zip" else tarfile.open(archive) as a:
        names = a.namelist() if archive.suffix == ".zip" else a.getnames()
        programs = [n for n in names if pathlib.PurePath(n).name.startswith("envdrift") and pathlib.PurePath(n).suffix in ("", ".exe")]
        for name in programs:
            a.extract(name, folder)
        return programs


def modules(program):
    """Returns Go's version, the main module, and a dict of the others: (path, version) to h1 sum."""
    out = subprocess.run(["go", "version", "-m", str(program)], check=True, capture_output=True, text=True).stdout
    main, deps = None, {}
    lines = [line.split("\t")[1:] for line in out.splitlines()[1:]]
    for kind, path, *rest in lines:
        version, total = (rest + ["", ""])[:2]
        if kind == "mod":
            main = (path, version)
        elif kind == "dep":
            deps[path, version] = total
        elif kind == "=>":  # replaces the one above
            deps.popitem()
            deps[path, version] = total
    return out.splitlines()[0].split(": ")[1].removeprefix("go"), main, deps


def purl(path, version):
    return f"pkg:golang/{urllib.parse.quote(path)}@{urllib.parse.quote(version)}"


def component(kind, path, version, total=""):
    c = {"type": kind, "bom-ref": purl(path, version), "name": path, "version": version, "purl": purl(path, version)}
    if total:  # "h1:" and the SHA-256 of the module's files
        c["hashes"] = [{"alg": "SHA-256", "content": base64.b64decode(total.removeprefix("h1:")).hex()}]
    return c


def main(archive, document):
    deps, of_program, files = {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(unpack(archive, folder)):
            program = pathlib.Path(folder, name)
            go, own, found = modules(program)
            deps |= found | {("std", go): ""}
            of_program[name] = sorted(purl(*m) for m in [*found, ("std", go)])
            files.append({"type": "file", "bom-ref": name, "name": name,
                          "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(program.read_bytes()).hexdigest()}]})
    if not files:
        sys.exit(f"sbom.py: {archive} holds no program")
    root = component("application", *own)
    text = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(archive.read_bytes()).hexdigest())}",
        "metadata": {"component": root},
        "components": files + [component("library", *m, deps[m]) for m in sorted(deps)],
        "dependencies": [{"ref": root["bom-ref"], "dependsOn": sorted(of_program)}]
        + [{"ref": name, "dependsOn": refs} for name, refs in sorted(of_program.items())],
    }
    pathlib.Path(document).write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
