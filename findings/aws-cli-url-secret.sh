#!/usr/bin/env bash
#
# A secret that is a URL: the AWS CLI 1 requests it and stores the answer.
#
# Version:   awscli 1.46.3, against moto 5.2.5
# Guess:     --secret-string TEXT stores TEXT. Only file:// is special.
# Behaviour: http:// and https:// are special as well. The client sends a GET
#            to the address and stores the body. Status 0, nothing is printed
#            about it. "cli_follow_urlparam = false" in the profile turns it off.
# Seen:      requested /hooks/T0/B0/token
#            status 0
#            stored <p>Hello.</p>
# Matters:   webhook addresses and database consoles are secrets that look just
#            like this. The vault then holds a web page, and a request with
#            the token in it has been made from whatever machine that was.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check \
	awscli==1.46.3 'moto[server]==5.2.5'
export PATH=$tmp/venv/bin:$PATH HOME=$tmp NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1
unset AWS_PROFILE AWS_CONFIG_FILE AWS_SESSION_TOKEN

got=$(python - <<'END'
import http.server, json, logging, os, subprocess, threading
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel("ERROR")

class Hook(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("requested", self.path, flush=True)
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n<p>Hello.</p>")

site = http.server.HTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=site.serve_forever, daemon=True).start()
moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
moto.start()
os.environ["AWS_ENDPOINT_URL"] = "http://%s:%d" % moto.get_host_and_port()

def aws(*args):
    return subprocess.run(["aws", "secretsmanager", *args], stdout=subprocess.PIPE)

url = "http://127.0.0.1:%d/hooks/T0/B0/token" % site.server_port
print("status", aws("create-secret", "--name", "hook", "--secret-string", url).returncode)
print("stored", json.loads(aws("get-secret-value", "--secret-id", "hook").stdout)["SecretString"])
END
)

want='requested /hooks/T0/B0/token
status 0
stored <p>Hello.</p>'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
