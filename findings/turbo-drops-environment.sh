#!/usr/bin/env bash
#
# "turbo run" does not hand the environment on to the scripts of package.json.
#
# Version:   turbo 2.11.11
# Guess:     as "npm run" does, it starts the script with the environment it was started
#            with, and turbo.json names variables only to compute its cache.
# Behaviour: the script gets the names that turbo.json has in env, globalEnv or a
#            pass-through list, and a built-in list of names such as PATH, CI and those
#            of frameworks. All others are unset, in tasks that are not cached too. The
#            run is successful and says nothing of it.
# Seen:      npm run: API_KEY=value
#            turbo run: API_KEY=
#            turbo run --env-mode=loose: API_KEY=value
# Matters:   "dotenvx run -- turbo run deploy" and each wrapper like it starts programs
#            without a single secret, or with the ones that they then load from a file.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
export HOME=$tmp npm_config_update_notifier=false TURBO_TELEMETRY_DISABLED=1 GIT_CONFIG_NOSYSTEM=1
unset TURBO_ENV_MODE CI
git init --quiet
mkdir -p packages/app
cat >package.json <<'END'
{"name": "root", "version": "1.0.0", "private": true, "packageManager": "npm@10.8.2", "workspaces": ["packages/*"]}
END
# shellcheck disable=SC2016 # expanded by the script's shell
echo '{"name": "app", "version": "1.0.0", "scripts": {"deploy": "echo API_KEY=$API_KEY"}}' >packages/app/package.json
echo '{"tasks": {"deploy": {"cache": false}}}' >turbo.json
npm install --silent --no-audit --no-fund --save-dev --save-exact turbo@2.11.11 >/dev/null

seen() { grep -o '\(^\|: \)API_KEY=.*' "$tmp/out" | sed 's/^: //'; }
export API_KEY=value
npm run --workspace=app deploy >out 2>&1
got="npm run: $(seen)"
npx --no-install turbo run deploy >out 2>&1
got+=$'\n'"turbo run: $(seen)"
npx --no-install turbo run deploy --env-mode=loose >out 2>&1
got+=$'\n'"turbo run --env-mode=loose: $(seen)"

want='npm run: API_KEY=value
turbo run: API_KEY=
turbo run --env-mode=loose: API_KEY=value'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat out >&2
	exit 1
fi
printf '%s\n' "$got"
