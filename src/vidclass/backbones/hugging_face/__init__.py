"""Encoders of Hugging Face's transformers."""
