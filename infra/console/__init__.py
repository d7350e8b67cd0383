"""The stacks as templates for the CloudFormation console. Run as `python -m infra.console`.

templates       the stacks with parameters in place of settings, written to `cloudformation/`
readable_yaml   a template as YAML that a person reads from top to bottom
settings_table  the tables of settings in `docs/stacks/`
"""
