"""Images on disk or from a world, as an endless stream of batches."""
