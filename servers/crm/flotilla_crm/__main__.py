"""`flotilla-crm`: serves over stdio or HTTP."""

from flotilla_kit import cli


def main() -> int:
    return cli.main("flotilla_crm")


if __name__ == "__main__":
    raise SystemExit(main())
