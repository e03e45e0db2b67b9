"""System checks: what is wrong with the configuration, told at start with an id and a hint."""
