"""Moves requests to the canaries of models by steps, and back when they do not hold.

It runs in a pod of its own with Python's library alone, so it imports nothing of the project.
"""
