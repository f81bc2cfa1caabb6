"""A predictor of digits for KServe's Python SDK."""
