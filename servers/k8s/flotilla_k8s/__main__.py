"""`flotilla-k8s`: serves over stdio or HTTP, and `flotilla-k8s sandbox` a small cluster to try it on."""

from flotilla_kit import cli


def main() -> int:
    return cli.main(
        "flotilla_k8s", own={"sandbox": ("sandbox", "serve a small cluster of made-up data to try this on")}
    )


if __name__ == "__main__":
    raise SystemExit(main())
