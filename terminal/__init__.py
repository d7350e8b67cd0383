"""What every command of the project shares: results, the screen, files that appear whole, and the CDK's command line.

`results` prints what a command returns, as text or as JSON; `screen` has the console, the table printer and the
progress bar; `files` writes a file so that nobody sees half of it; `cdk` runs the CDK's command line. Nothing outside
this package prints a table, draws a bar or starts the CDK.
"""
