"""What the two models of tables share.

table        CSV files: read, checked, every error with its line and column
ensemble     several small networks of one shape, trained together; each leaves rows out for itself
intervals    conformal prediction intervals
evaluation   one table of models over many splits, beside the baselines
figures      what both reports draw
search       hyperparameter search inside a split
delivery     the data set of the delivery times: columns, loader, generated sample
nfl          the data set of the players: three files or nflverse's tables, careers
nfl_sample   a generated sample of it
position     the model of the positions: a forest, a network that sees it, and the mean of both
"""
