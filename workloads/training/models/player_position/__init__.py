"""Which position a football player plays."""
