"""Copy detection: which candidate was the published picture made from?"""
