"""A stand-in for the `kubernetes` plug-in, for machines that cannot get the official one.

It speaks the engine's resource provider protocol over the official `kubernetes` Python client and
follows the behaviour of the official plug-in's 4.x line, so that a program cannot tell them apart.
`docs/adr/0003-stand-in-kubernetes-plugin.md` says why it exists and in what it differs.
"""
