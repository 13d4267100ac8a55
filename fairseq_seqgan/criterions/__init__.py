"""Losses that the plugin adds to fairseq's registry."""
