"""Configurations of the originals' training code, of the mm family, as recipes."""
