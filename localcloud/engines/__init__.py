"""The engines behind services: real database servers and their fronts, and the programs that they need."""
