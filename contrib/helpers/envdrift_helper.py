"""What the helpers here share: the protocol of docs/vaults/helpers.md, and running a tool."""

import json
import signal
import subprocess
import sys


class Fail(Exception):
    """An error for the user: its kind, the tool's own words, and what to type."""

    def __init__(self, kind, detail="", remedy=""):
        super().__init__(detail)
        self.answer = {"kind": kind, "detail": detail, "remedy": remedy}


class Tool:
    """A vault that a program of its vendor's reads and writes.

    A subclass has the tool's name, the settings that it knows with their defaults, a
    name of the vault, and the methods get, put and delete, those that it can.
    """

    program = ""
    settings = {}

    def __init__(self, settings, timeout):
        unknown = sorted(set(settings) - set(self.settings))
        if unknown:
            raise Fail("config", f"there is no setting {unknown[0]}; there are: {', '.join(sorted(self.settings))}")
        self.set = {**self.settings, **settings}
        self.timeout = timeout

    def run(self, *arguments, stdin=None):
        """Runs the tool and returns its status, output and last line of error."""
        try:
            done = subprocess.run(
                [self.program, *arguments], input=(stdin or "").encode(), capture_output=True, timeout=self.timeout
            )
        except FileNotFoundError:
            raise Fail("config", f"there is no {self.program} in PATH", f"install {self.program}")
        except subprocess.TimeoutExpired:
            raise Fail("timeout", f"{self.program} has not answered for {self.timeout} s")
        said = done.stderr.decode(errors="replace").strip().splitlines()
        try:
            return done.returncode, done.stdout.decode(), said[-1] if said else ""
        except UnicodeDecodeError:
            raise Fail("malformed", "it is not UTF-8")


def answer(tools, Vault, ask):
    if ask["do"] == "open":
        tools["vault"] = Vault(ask.get("settings", {}), ask["timeout"])
        return {"protocol": 1, "vault": tools["vault"].name}
    method = getattr(tools["vault"], ask["do"], None)
    if method is None:
        raise Fail("unsupported", f"this helper cannot {ask['do']}", getattr(Vault, "instead", ""))
    if ask["do"] == "put":
        return method(ask["name"], ask["value"]) or {}
    found = method(ask["name"])
    return {} if found is None else {"value": found}


def serve(Vault):
    """Answers envdrift, one request after another."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the tool, too
    tools = {}
    for line in sys.stdin.buffer:
        ask = json.loads(line)
        try:
            said = answer(tools, Vault, ask)
        except Fail as problem:
            said = {"error": problem.answer}
        print(json.dumps({"id": ask["id"], **said}), flush=True)
