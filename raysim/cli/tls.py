"""`raysim tls make`: certificates for the nodes of a cluster. Never which of them a node uses: see nodes.

Exit codes: 0 well; 1 something is missing here; 2 bad input.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def tls() -> None:
    """Make the certificates that connections between nodes are encrypted with."""


@tls.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="ADDRESS",
    help="Of a node: an IP address, or a name. Repeatable. Default: of this machine. 127.0.0.1 is always one.",
)
@click.option(
    "--name",
    "common",
    multiple=True,
    metavar="NAME",
    help="Of all nodes, where addresses are not known before: RAYSIM_TLS_NAME. It needs no address. Repeatable.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=3650),
    default=365,
    show_default=True,
    metavar="N",
    help="How long the certificate holds; its authority holds ten years.",
)
def make(folder: Path, hosts: tuple[str, ...], common: tuple[str, ...], days: int) -> int:
    """Make a certificate for nodes at these addresses, and the authority that signs it where FOLDER has none yet.

    \b
    raysim tls make ~/raysim-tls
    raysim tls make ~/raysim-tls --host 10.0.0.5 --host 10.0.0.6 --host head.example

    The same command again makes another one of the same authority, in place of the one before: nodes that run read it
    from their next connection on.
    """
    try:
        from raysim.cli.authority import make_certificate
    except ImportError as error:
        click.echo(f"{error}. Run: pip install 'raysim-core[tls]'", err=True)
        return 1
    try:
        names, until = make_certificate(folder, hosts, days, common)
    except (OSError, ValueError) as error:
        click.echo(str(error), err=True)
        return 2
    files = {name: folder.absolute() / f"{name}.pem" for name in ("cert", "key", "ca")}
    options = " ".join(f"--tls-{name} {file}" for name, file in files.items())
    click.echo(
        f"Made {files['cert']} for {', '.join(names)}, until {until:%Y-%m-%d}. Start nodes with it:\n"
        f"  raysim start --head {options}\n"
        "or, for all commands from here on:\n"
        f"  export RAYSIM_TLS_SERVER_CERT={files['cert']} RAYSIM_TLS_SERVER_KEY={files['key']} "
        f"RAYSIM_TLS_CA_CERT={files['ca']}\n"
        "Other machines need cert.pem, key.pem and ca.pem. Keep ca-key.pem here: who has it can make more."
    )
    return 0
