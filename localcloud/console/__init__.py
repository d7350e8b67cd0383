"""The console: pages that show what the local cloud holds, for a browser on this machine.

server        listens on a loopback port of its own and decides which requests it answers
application   the Flask application: views, templates, security headers
states        the sign, word and tone of every status that AWS has
charts        charts of metrics as SVG
diagram       the main resources of a stack as a picture, and which refers to which
widgets       the widgets of a CloudWatch dashboard, and the data that they show
views/        one module for each part of the console
templates/    their HTML
static/       the style sheet, and the script that keeps a page up to date
"""
