"""``groundwork cost``: what stacks cost, what a change costs, and the prices behind both.

command.py       the command
comparison.py    two templates, two settings or two commits, resource by resource
price_list.yaml  where AWS's Price List API has each price
refresh.py       reads the prices from there
"""
