"""A small model server that speaks the Open Inference Protocol v2 over REST.

One process serves one model. Requests run in a bounded pool of threads, so that health answers
under load and a burst is refused early instead of piling up.
"""

__version__ = "0.1.0"
