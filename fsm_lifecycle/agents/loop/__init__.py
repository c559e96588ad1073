"""How a run is worked on: ask the model, run the tools that it calls, until it answers or has to stop.

Every step is a row before the next one begins, so that whoever goes on after a crash reads what was done.
"""
