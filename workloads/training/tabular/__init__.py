"""What the two models of tables share.

table        CSV files: read, checked, every error with its line and column
ensemble     several small networks of one shape, trained together; each leaves rows out for itself
intervals    conformal prediction intervals
evaluation   one table of models over many splits, beside the baselines
figures      what both reports draw
search       hyperparameter search inside a split
"""
