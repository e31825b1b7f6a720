"""Nouns: quantities, records, the register table, errors. Imports nothing of ours."""
