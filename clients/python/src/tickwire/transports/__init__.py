"""The three ways to read the stream, behind one contract."""
