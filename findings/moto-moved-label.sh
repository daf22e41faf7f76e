#!/usr/bin/env bash
#
# A secret whose label AWSCURRENT was moved: moto returns the version before.
#
# Version:   moto 5.2.5, boto3 1.44.8
# Guess:     get_secret_value without a label returns the version that has
#            AWSCURRENT, as AWS documents.
# Behaviour: update_secret_version_stage moves the label, and a request that
#            names it gets the new version. Without it, and in a batch, the one
#            that was current when it was stored is returned, with AWSPREVIOUS
#            among its labels.
# Seen:      get, label named     new
#            get                  old
#            batch                old
# Matters:   every rotation function of Secrets Manager ends with this move. A
#            test of one against moto sees the old password and reports a fault,
#            or, worse, proves that the old one still works.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check \
	boto3==1.44.8 'moto[secretsmanager]==5.2.5'
export HOME=$tmp AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1
unset AWS_PROFILE AWS_CONFIG_FILE AWS_SESSION_TOKEN

got=$("$tmp/venv/bin/python" - <<'END'
import boto3, moto

with moto.mock_aws():
    aws = boto3.client("secretsmanager")
    old = aws.create_secret(Name="app", SecretString="old")["VersionId"]
    new = aws.put_secret_value(SecretId="app", SecretString="new", VersionStages=["AWSPENDING"])["VersionId"]
    aws.update_secret_version_stage(
        SecretId="app", VersionStage="AWSCURRENT", MoveToVersionId=new, RemoveFromVersionId=old)
    print("get, label named    ", aws.get_secret_value(SecretId="app", VersionStage="AWSCURRENT")["SecretString"])
    print("get                 ", aws.get_secret_value(SecretId="app")["SecretString"])
    print("batch               ", aws.batch_get_secret_value(SecretIdList=["app"])["SecretValues"][0]["SecretString"])
END
)

want='get, label named     new
get                  old
batch                old'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
