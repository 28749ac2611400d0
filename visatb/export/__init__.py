"""Taking weights elsewhere: files that other training programs read."""
