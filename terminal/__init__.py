"""What every command of the project shares: results, the screen, and files that appear whole.

`results` prints what a command returns, as text or as JSON; `screen` has the console, the table printer and the
progress bar; `files` writes a file so that nobody sees half of it. Nothing outside this package prints a table or draws
a bar.
"""
