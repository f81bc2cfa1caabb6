"""Brings a model from where it is stored into its pod, before the pod's server starts."""
