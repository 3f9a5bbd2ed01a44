"""Whether arguments fit a remote function or method, checked where it is called. Never calls it."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

_Kind = inspect.Parameter
_POSITIONAL = (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """One parameter, without its default: that stays with the function."""

    name: str
    kind: int
    required: bool


class Signature(msgspec.Struct, array_like=True):
    """The parameters of a callable, in a form that travels with an actor's handle."""

    parameters: list[Parameter]
    least: int
    """Positional arguments without which a call can never fit."""
    most: int
    """Positional arguments that a call may have at most; -1 for any number."""
    keywords_required: bool
    """Some keyword-only parameter has no default."""

    @classmethod
    def of(cls, function: Callable[..., Any], skip_first: bool = False) -> "Signature":
        """Of a function; `skip_first` for `self`. Accepts anything where nothing is known."""
        try:
            found = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # A callable written in C says nothing about itself.
            found = [_Kind("args", _Kind.VAR_POSITIONAL), _Kind("kwargs", _Kind.VAR_KEYWORD)]
        if skip_first and found and found[0].kind in _POSITIONAL:
            found = found[1:]
        positional = [p for p in found if p.kind in _POSITIONAL]
        any_number = any(p.kind is _Kind.VAR_POSITIONAL for p in found)
        return cls(
            [Parameter(p.name, int(p.kind), _is_required(p)) for p in found],
            sum(map(_is_required, positional)),
            -1 if any_number else len(positional),
            any(p.kind is _Kind.KEYWORD_ONLY and _is_required(p) for p in found),
        )

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raises TypeError as Python would for the call itself."""
        if kwargs or self.keywords_required:
            self._bind(args, kwargs)
            return
        given = len(args)
        if given < self.least or (given > self.most and self.most >= 0):
            self._bind(args, kwargs)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        bindable = inspect.Signature(
            [
                _Kind(p.name, _KINDS[p.kind], default=_Kind.empty if p.required else None)
                if _KINDS[p.kind] not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)
                else _Kind(p.name, _KINDS[p.kind])
                for p in self.parameters
            ]
        )
        bindable.bind(*args, **kwargs)


_KINDS = {
    int(kind): kind
    for kind in (
        _Kind.POSITIONAL_ONLY,
        _Kind.POSITIONAL_OR_KEYWORD,
        _Kind.VAR_POSITIONAL,
        _Kind.KEYWORD_ONLY,
        _Kind.VAR_KEYWORD,
    )
}


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = parameter.kind in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)
    return not variadic and parameter.default is _Kind.empty
