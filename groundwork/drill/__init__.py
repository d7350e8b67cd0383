"""`groundwork drill ENGINE`: a restore, rehearsed on a local cloud of its own.

rows.py        how many rows each engine of a stack holds
rehearsals.py  for each stack: filled, saved, lost and restored
command.py     the command
"""
