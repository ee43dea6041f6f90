"""Decides whether a tool call that sends something to others is made. Pure, from the state of the run.

*Untrusted* are results from outside (pages, searches, servers, files that the run has not written), and
everything that is made of something untrusted. A call that sends something to others is made if its
destination was fixed before anything untrusted could choose it; else a person must approve it.
"""
