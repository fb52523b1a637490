"""What two Flotilla servers need. docs/kit.md lists what is public; the rooms are in ARCHITECTURE.md."""

__version__ = "0.1.0"
