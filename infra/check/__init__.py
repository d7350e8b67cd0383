"""The checks over every stack and console template. Run as `python -m infra.check`.

Each tool stands in a module of its own: cdk-nag, cfn-lint, checkov, and parliament for IAM policies. A finding stands
until it is mended, or acknowledged on its construct with a reason (`infra.guardrails.acknowledge`).
"""
