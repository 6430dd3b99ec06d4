"""From findings to propositions, and from propositions to a decision."""
