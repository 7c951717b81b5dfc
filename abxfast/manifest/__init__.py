"""The manifest: the list of recordings, read from a table or found in a folder."""
