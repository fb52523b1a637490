"""`flotilla-k8s`: serves over stdio or HTTP."""

from flotilla_kit import cli


def main() -> int:
    return cli.main("flotilla_k8s")


if __name__ == "__main__":
    raise SystemExit(main())
