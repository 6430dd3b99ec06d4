"""Bytes in, pictures out: sniffed by content, decoded in a separate process, never altered."""
