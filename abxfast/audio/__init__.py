"""Audio: recordings decoded and checked, cut into snippets, and measured."""
