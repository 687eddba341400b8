"""The release bundle: the gate that the privacy evidence has to pass, the data card, the files."""
