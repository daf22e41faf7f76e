#!/usr/bin/env python3
"""registry.py DIR: serves the npm packages of DIR on loopback, for tests, and prints the
address. It ends with its standard input.
"""
import base64, hashlib, http.server, json, pathlib, sys, tarfile, threading, urllib.parse

folder, packages = pathlib.Path(sys.argv[1]), {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = urllib.parse.unquote(self.path)[1:]
        body = json.dumps(packages[name]).encode() if name in packages else (folder / name[2:]).read_bytes() if name.startswith("-/") else None
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"{}")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
address = f"http://127.0.0.1:{server.server_port}/"
for file in folder.glob("*.tgz"):
    with tarfile.open(file) as t:
        manifest = json.load(t.extractfile("package/package.json"))
    manifest["dist"] = {"tarball": f"{address}-/{file.name}", "integrity": "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()}
    packages[manifest["name"]] = {"name": manifest["name"], "dist-tags": {"latest": manifest["version"]}, "versions": {manifest["version"]: manifest}}
threading.Thread(target=server.serve_forever, daemon=True).start()
print(address, flush=True)
sys.stdin.read()
