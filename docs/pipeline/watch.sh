#!/usr/bin/env bash
# Looks for drift of stacks and for budgets that are passed or forecast to be: watch.sh STACK... Exit code 1 if there are any.
set -euo pipefail
found=0
for stack in "$@"; do
  detection=$(aws cloudformation detect-stack-drift --stack-name "$stack" --query StackDriftDetectionId --output text)
  while status=$(aws cloudformation describe-stack-drift-detection-status --stack-drift-detection-id "$detection" \
    --query '[DetectionStatus,StackDriftStatus]' --output text) && [ "${status%%[[:space:]]*}" = DETECTION_IN_PROGRESS ]; do sleep 5; done
  echo "$stack: $status"
  [ "$status" = $'DETECTION_COMPLETE\tIN_SYNC' ] || {
    found=1
    aws cloudformation describe-stack-resource-drifts --stack-name "$stack" --stack-resource-drift-status-filters MODIFIED DELETED \
      --query 'StackResourceDrifts[].[LogicalResourceId,StackResourceDriftStatus]' --output table
  }
done
account=$(aws sts get-caller-identity --query Account --output text)
passed=$(aws budgets describe-budgets --account-id "$account" --output text --query \
  'Budgets[].[BudgetName,BudgetLimit.Amount,CalculatedSpend.ActualSpend.Amount,CalculatedSpend.ForecastedSpend.Amount]' |
  awk '$3 > $2 || ($4 != "None" && $4 > $2) { print $1 ": limit " $2 ", spent " $3 ", forecast " $4 }')
[ -z "$passed" ] || { echo "$passed"; found=1; }
exit "$found"
