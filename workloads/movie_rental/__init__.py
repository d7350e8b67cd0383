"""A film rental company's data, moved to the engines that fit, and used.

Data flows one way: `source` (the old database) -> `migrate` -> ports (`ports.py`) -> engines. What is asked afterwards
(`search`, `recommend`, `trends`, `customer`) goes through the same ports.
"""
