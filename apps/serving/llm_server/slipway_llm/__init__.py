"""A server for one language model in GGUF: llama.cpp's own, which speaks the OpenAI API."""
