"""The checks over every stack and console template. Run as `python -m infra.check`.

Each tool stands in a module of its own: cdk-nag, cfn-lint, checkov, parliament for IAM policies, and our own
comparison of what roles may do with what their code calls (`privileges`). A finding stands until it is
mended, or acknowledged with a reason: on its construct (`infra.guardrails.acknowledge`), or in privileges.yaml.
"""
