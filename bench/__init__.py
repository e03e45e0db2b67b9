"""Measurements: `make bench`, or `python -m bench NAME…` for some of them.

Each pairs two things in one run, since absolute figures do not carry to another machine. They
work in a database of their own, never in the user's.
"""
