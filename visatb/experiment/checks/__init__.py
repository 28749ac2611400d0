"""What must hold between keys of a config, and between a config and the files it names."""
