"""Decides whether a tool call that sends something to others is made. Pure, from the state of the run.

*Untrusted* are results from outside (pages, searches, servers, files that the run has not written), and
everything that is made of something untrusted. A plan that a model made after reading memories or
descriptions of third parties is untrusted as a whole. A call that sends something to others is made if its
destination was fixed before anything untrusted could choose it; else a person must approve it. The goal names
a destination only as a whole address.

The decision that starts a step calls `RunPolicy.screen`, and `run.steps_started` has what it found:
`untrusted`, and `outward` with the reason. So another executor folds the same. Results that an older version
started count as untrusted.
"""
