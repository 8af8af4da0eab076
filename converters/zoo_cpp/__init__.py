"""Self-contained C++ for the networks of the zoo: written, compiled and called."""
