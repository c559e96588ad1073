"""What a transition costs, measured beside hand-written code and other packages in one interleaved run.

Run `python -m benchmarks --help`. Nothing here is imported by the package itself.
"""
