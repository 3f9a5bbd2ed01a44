"""Commands by their names, or the nearest right one in the error. Options: click says the nearest one by itself."""

from __future__ import annotations

from difflib import get_close_matches

import click


class NearestGroup(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            near = f" Did you mean {close[0]}?" if close else ""
            ctx.fail(f"No such command {name!r}.{near}")
        return super().resolve_command(ctx, args)
