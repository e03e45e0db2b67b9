"""How times are written on every screen (FORMAT_MODULE_PATH)."""
