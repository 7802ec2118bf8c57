"""What a translator is measured by."""
