"""Pure functions of tensors, one file per idea; each returns a scalar to be minimised."""
