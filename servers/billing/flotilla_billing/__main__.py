"""`flotilla-billing`: serves over stdio or HTTP; sub-commands manage the store."""

from flotilla_kit import cli


def main() -> int:
    return cli.main("flotilla_billing")


if __name__ == "__main__":
    raise SystemExit(main())
