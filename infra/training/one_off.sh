# shellcheck shell=bash
# Runs one training command in the container, ships its log, and ends the instance, which terminates it.
# The lines above set what is in capitals; the instance's tags say what to train, and as which role.
set -euo pipefail

trap 'shutdown --poweroff now' EXIT                  # however this ends
shutdown --poweroff "+$((LIMIT_SECONDS / 60 + 15))"  # and when it never does

metadata=http://169.254.169.254/latest
fetch() { curl --fail --silent --show-error --retry 5 "$@"; }
token=$(fetch --request PUT "$metadata/api/token" --header 'X-aws-ec2-metadata-token-ttl-seconds: 3600')
describe() { fetch "$metadata/meta-data/$1" --header "X-aws-ec2-metadata-token: $token"; }

instance=$(describe instance-id)
role=$(describe tags/instance/groundwork:role)
command=$(describe tags/instance/groundwork:command)
options=$(describe tags/instance/groundwork:options)
read -r -a arguments <<< "$command $options"

# The container becomes a job of its workload; the instance's own role may do little else than lend it the job's.
mkdir -p /etc/groundwork /var/cache/groundwork
cat > /etc/groundwork/aws <<END
[default]
region = $REGION
role_arn = $role
credential_source = Ec2InstanceMetadata
END

# A private repository of ECR wants a login, with a token that the instance's role may ask for.
registry=${IMAGE%%/*}
if [[ $registry =~ ^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com ]]; then
  export DOCKER_CONFIG=/run/groundwork-docker # not on the disk
  aws ecr get-login-password --region "${BASH_REMATCH[1]}" \
    | docker login --username AWS --password-stdin "$registry"
fi

log=(--log-driver awslogs --log-opt "awslogs-region=$REGION" --log-opt "awslogs-group=$LOG_GROUP"
  --log-opt "awslogs-stream=one-off/$instance")
code=0
timeout --foreground --kill-after 120 "$LIMIT_SECONDS" docker run --rm --init --gpus all --network host \
  --shm-size "${SHARED_MEMORY_MIB}m" --volume /etc/groundwork:/etc/groundwork:ro \
  --volume /var/cache/groundwork:/var/cache/groundwork --env AWS_CONFIG_FILE=/etc/groundwork/aws \
  --env "AWS_DEFAULT_REGION=$REGION" --env "GROUNDWORK_CODE=$GROUNDWORK_CODE" \
  --env "GROUNDWORK_METRIC_NAMESPACE=$GROUNDWORK_METRIC_NAMESPACE" \
  "${log[@]}" "$IMAGE" python -c "$LOADER" "${arguments[@]}" || code=$?
docker run --rm "${log[@]}" "$IMAGE" echo "the training ended with exit code $code"  # whoever follows the log waits for it
