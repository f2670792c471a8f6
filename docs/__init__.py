"""References and manual pages that derive from the tables of the code: `python -m docs` writes them.

One module for each reference, text out of tables and nothing else. The hand-written pages beside them are Markdown.
"""
