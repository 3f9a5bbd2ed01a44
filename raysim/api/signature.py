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
    """Positional arguments without which a call never fits, unless keywords stand in for them."""
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
        given = len(args)
        simple = not kwargs and not self.keywords_required
        if simple and self.least <= given and (given <= self.most or self.most < 0):
            return
        if not self._fits(given, kwargs):
            self._bind(args, kwargs)

    def _fits(self, given: int, kwargs: dict[str, Any]) -> bool:
        """Whether so many positional arguments and these keywords do. Finds no words: see _bind."""
        position = matched = 0
        any_number = any_keyword = False
        for parameter in self.parameters:
            name, kind, required = parameter.name, parameter.kind, parameter.required
            if kind == _Kind.VAR_POSITIONAL:
                any_number = True
            elif kind == _Kind.VAR_KEYWORD:
                any_keyword = True
            else:
                by_position = kind != _Kind.KEYWORD_ONLY and position < given
                by_name = kind != _Kind.POSITIONAL_ONLY and name in kwargs
                if by_position == by_name and (by_position or required):
                    return False
                position += kind != _Kind.KEYWORD_ONLY
                matched += by_name
        return (given <= position or any_number) and (matched == len(kwargs) or any_keyword)

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
