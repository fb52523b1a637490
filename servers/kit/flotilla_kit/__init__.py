"""What two Flotilla servers need, one idea a file."""

__version__ = "0.1.0"
