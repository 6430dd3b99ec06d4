"""The nouns: frozen values that every stage above passes on."""
