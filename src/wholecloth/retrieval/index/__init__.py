"""The embedded index: one folder, segments and a manifest."""

from wholecloth.retrieval.index.folder import About, Index, Ranked

__all__ = ["About", "Index", "Ranked"]
