"""The one engine: what a method declares (`method`), the loop that runs it (`fit`), and what the loop stands on."""
