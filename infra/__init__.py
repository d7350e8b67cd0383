"""The stacks: AWS infrastructure as code, from one configuration."""

import os

# The CDK's bridge to Node warns of versions that AWS has stopped testing; those that work are in the README.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
