"""What stacks cost: while nobody uses them, and by use.

types.yaml      what each resource type costs, or why it costs nothing
always_on.yaml  what bills while idle, and why we let it
estimate.py     what a template costs, from these and the prices of `contract.prices`
page.py         docs/costs.md
"""
