"""From what people have (a path, a PIL image, an array of any size) to a translation, and back in the same size."""
