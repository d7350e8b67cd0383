#!/bin/bash
# What an instance of the stack WebApp does when it first starts: it becomes the storefront, and tells CloudFormation
# whether that worked. What it says is in /var/log/cloud-init-output.log, and in the stack's log group.
#
# The template sets, above this line:
#   AWS_REGION, STACK     where it belongs
#   RESOURCE              whom of the stack to signal for
#   CODE                  the bundle of the code, s3://bucket/key.zip
#   SITE_NAME             host name or address of the site; empty where only its visitors know it
#   TRUSTED_PROXY         the load balancer's network; empty without one
#   STOREFRONT_...        the application's settings, all but the file of authorities
set -euo pipefail

HOME_FOLDER=/opt/storefront
CODE_FOLDER=$HOME_FOLDER/code
SERVER_FILES=$CODE_FOLDER/workloads/storefront/server
PACKAGES=$HOME_FOLDER/packages
AUTHORITIES=$HOME_FOLDER/database-authorities.pem
AUTHORITIES_URL=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
ENVIRONMENT=/etc/storefront.env
APACHE=/etc/httpd/conf.d
ACCESS_LOG=/var/log/httpd/storefront_access_log # the only one of Apache's access logs that leaves the instance
CERTIFICATE=/etc/pki/tls/certs/storefront.pem
KEY=/etc/pki/tls/private/storefront.key
AGENT=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
SIGNAL=/opt/aws/bin/cfn-signal

step="nothing yet"

begin() {
    step=$1
    echo "storefront: $step"
}

# Whatever happens, CloudFormation hears of it; a stack whose instance failed rolls back.
finish() {
    status=$?
    trap - EXIT
    if [ "$status" -eq 0 ]; then
        reason="The storefront is ready."
    else
        reason="The start failed at: $step (exit code $status); see /var/log/cloud-init-output.log."
    fi
    echo "storefront: $reason"
    "$SIGNAL" --exit-code "$status" --reason "$reason" --stack "$STACK" --resource "$RESOURCE" --region "$AWS_REGION" \
        || echo "storefront: CloudFormation waits for no signal: the group has added this instance by itself"
    exit "$status"
}
trap finish EXIT
trap 'exit 143' HUP INT TERM # who is ended, by a shutdown for one, has not succeeded

begin "install packages"
dnf install --assumeyes --quiet \
    amazon-cloudwatch-agent aws-cfn-bootstrap httpd mod_ssl openssl python3.11 python3.11-pip

begin "fetch the code"
mkdir -p "$HOME_FOLDER"
aws s3 cp --only-show-errors "$CODE" "$HOME_FOLDER/code.zip"
python3.11 -m zipfile -e "$HOME_FOLDER/code.zip" "$CODE_FOLDER"

begin "install the application's packages"
python3.11 -m venv "$PACKAGES"
"$PACKAGES/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$CODE_FOLDER/workloads/storefront/requirements.txt"

begin "fetch the certificates of the database's authorities"
curl --silent --show-error --fail --retry 5 --output "$AUTHORITIES" "$AUTHORITIES_URL"

begin "set up the application"
id storefront > /dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin storefront
export STOREFRONT_DATABASE_CA=$AUTHORITIES
printf '%s\n' \
    "AWS_REGION=$AWS_REGION" \
    "AWS_DEFAULT_REGION=$AWS_REGION" \
    "STOREFRONT_DATABASE_SECRET=$STOREFRONT_DATABASE_SECRET" \
    "STOREFRONT_DATABASE_CA=$STOREFRONT_DATABASE_CA" \
    "STOREFRONT_SESSION_SECRET=$STOREFRONT_SESSION_SECRET" \
    "STOREFRONT_BUCKET=$STOREFRONT_BUCKET" \
    "STOREFRONT_LOG_GROUP=$STOREFRONT_LOG_GROUP" \
    "STOREFRONT_STACK=$STACK" \
    > "$ENVIRONMENT"
cp "$SERVER_FILES/storefront.service" /etc/systemd/system/storefront.service

begin "bring the database's tables up to date"
(
    set -a
    # shellcheck source=/dev/null
    . "$ENVIRONMENT"
    export PYTHONPATH=$CODE_FOLDER
    runuser -u storefront -- "$PACKAGES/bin/python" -m workloads.storefront init
)

begin "set up Apache"
if [ ! -e "$KEY" ]; then # until the owner brings a certificate for the site's own name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj "/CN=storefront" -out "$CERTIFICATE" -keyout "$KEY" 2> /dev/null
    chmod 600 "$KEY"
fi
{
    echo "# Written when the instance started; what these mean stands in storefront.conf."
    echo "Define APPLICATION 127.0.0.1:8000"
    echo "Define SITE_PORT 80"
    echo "Define SITE_PAGES $SERVER_FILES"
    echo "Define SITE_ACCESS_LOG $ACCESS_LOG"
    echo "Define SITE_CACHE /var/cache/httpd" # the package made it for Apache's children
    if [ -n "$SITE_NAME" ]; then
        echo "Define SITE_NAME $SITE_NAME"
    fi
    if [ -n "$TRUSTED_PROXY" ]; then
        echo "Define TRUSTED_PROXY $TRUSTED_PROXY"
    else
        echo "Define HTTPS_ONLY"
        echo "Define SITE_TLS_PORT 443"
        echo "Define SITE_CERTIFICATE $CERTIFICATE"
        echo "Define SITE_KEY $KEY"
        echo "Listen 443 https"
    fi
} > "$APACHE/00-storefront-settings.conf"
rm -f "$APACHE/welcome.conf" "$APACHE/ssl.conf" # the distribution's own pages
cp "$SERVER_FILES/site.conf" "$APACHE/storefront.conf"
httpd -t

begin "set up the CloudWatch agent"
sed "s|LOG_GROUP|$STOREFRONT_LOG_GROUP|; s|\"STACK\"|\"$STACK\"|" "$SERVER_FILES/cloudwatch_agent.json" > "$HOME_FOLDER/cloudwatch-agent.json"
"$AGENT" -a fetch-config -m ec2 -s -c "file:$HOME_FOLDER/cloudwatch-agent.json"

begin "start"
systemctl daemon-reload
systemctl enable --now storefront httpd

begin "see whether the site answers"
curl --silent --show-error --fail --retry 30 --retry-delay 2 --retry-all-errors --output /dev/null \
    http://localhost/healthz
