"""The store: snippet vectors in a folder of Parquet files."""
