"""What a request needs: the actions of IAM, the resources that they act on, and the request's condition keys.

`reference` knows actions and forms of ARNs from AWS's service authorization reference; ``operations.yaml`` says where
an operation or a parameter has another name there; `derivation` puts them together for a request.
"""
