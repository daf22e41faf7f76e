#!/usr/bin/env node
// Runs the envdrift of this platform's package. Git's hooks call that themselves:
// this wrapper costs as long as node takes to start.
"use strict";
const { spawn } = require("child_process");
const { isatty } = require("tty");

const platform = `${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`@envdrift/${platform}/bin/envdrift${process.platform === "win32" ? ".exe" : ""}`);
} catch {
  const { version, optionalDependencies } = require("../package.json");
  const name = `@envdrift/${platform}`;
  console.error(
    name in optionalDependencies
      ? `envdrift: the package ${name}@${version} is not installed; npm leaves it out with --omit=optional or --no-optional, and if a lock file from another platform lacks it\n` +
          `envdrift: hint: npm install --include=optional, or: npm install --no-save ${name}@${version}`
      : `envdrift: there is no package for ${platform}\nenvdrift: hint: go install github.com/envdrift/envdrift/cmd/...@v${version}`
  );
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
const signals = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"];
// What is typed at a terminal reaches the program by itself.
const typed = (signal) => (signal === "SIGINT" || signal === "SIGQUIT") && [0, 1, 2].some((fd) => isatty(fd));
for (const signal of signals) process.on(signal, () => typed(signal) || child.kill(signal));
child.on("error", (err) => {
  console.error(`envdrift: ${program}: ${err.message}`);
  process.exitCode = 1;
});
child.on("exit", (status, signal) => {
  if (!signal) process.exit(status);
  for (const s of signals) process.removeAllListeners(s);
  process.kill(process.pid, signal);
});
