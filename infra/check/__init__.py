"""The checks over every stack and console template. Run them with `python -m infra.check`.

Each tool has a module of its own: cdk-nag with the CDK's own rules (`synthesis`), cfn-lint (`lint`), checkov, the
rules on IAM policies (`policies`), and our comparison of what roles may do with what their code calls (`privileges`).
A finding is reported until it is fixed, or acknowledged with a reason: on its construct
(`infra.guardrails.acknowledge`), or in privileges.yaml.
"""
