"""``wholecloth cache``: what is kept of files read before, and destroying it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from wholecloth.cli import options
from wholecloth.share import words


@click.group(
    short_help="Show or destroy what is kept of files read.",
    epilog="Example:  wholecloth cache list",
)
def cache() -> None:
    """Show or destroy the feature cache.

    Features of files that were read lie in the cache folder of this account, encrypted, because a
    picture can be approximated from them. What is unused for 30 days is removed. WHOLECLOTH_CACHE
    names another folder; --no-cache keeps a run out of it.
    """


@cache.command("list", epilog="Example:  wholecloth cache list --json")
@options.as_json
def list_(as_json: bool) -> None:
    """Say where the cache lies, how much it holds, and since when it is unused."""
    from wholecloth.retrieval.cache import DAYS_UNUSED, state  # noqa: PLC0415

    now = state()
    if as_json:
        click.echo(json.dumps(asdict(now)))
        return
    click.echo(f"folder      {words.plain(now.folder)}")
    click.echo(f"entries     {now.rows}")
    click.echo(f"size        {now.bytes / 2**20:.1f} MiB")
    if now.rows:
        kept = f"an entry is removed after {DAYS_UNUSED} days without use"
        click.echo(f"oldest use  {now.oldest_use}; {kept}")


@cache.command(epilog="Example:  wholecloth cache clear")
@options.as_json
def clear(as_json: bool) -> None:
    """Destroy the key of the cache, then remove all of it."""
    from wholecloth.retrieval.cache import clear as destroy  # noqa: PLC0415

    size = destroy()
    if as_json:
        click.echo(json.dumps({"removed_bytes": size}))
        return
    click.echo(f"{size / 2**20:.1f} MiB removed; the key is destroyed" if size else "it was empty")
