"""The template language of scripts and playbooks: sandboxed Jinja2 that keeps values, not only text.

A string that is exactly one `{{ expression }}` yields the expression's own value; any other string renders
to text. Data is never a template: what an expression yields is not rendered again.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import JsonValue


class TemplateError(ValueError):
    """A template that does not parse, names what is not there, or fails; the message quotes it."""


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: object, attribute: str) -> object:
        # Jinja prefers attributes, so `page.items` would be dict.items. In data, a name is a key.
        if isinstance(obj, Mapping):
            data = cast("Mapping[str, object]", obj)
            return data[attribute] if attribute in data else self.undefined(obj=data, name=attribute)
        return super().getattr(obj, attribute)


def _regex(text: str, pattern: str) -> str:
    """First group, or the whole, of the first match of `pattern`, ignoring case."""
    match = re.search(pattern, text, re.IGNORECASE)
    if not match:
        raise ValueError(f"no match of {pattern!r} in {_short(text)!r}")
    return match[1] if match.re.groups else match[0]


def _from_json(text: str) -> object:
    """The value that a JSON text says; the opposite of `tojson`."""
    return json.loads(text)


_EXPRESSION = re.compile(r"\{\{[-+]?(.+?)[-+]?\}\}", re.DOTALL)
_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BACKSLASH = re.compile(r"(\\[\\'\"nt])|\\")

_environment = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
# Jinja infers the type of `filters` from its own ones.
_filters = cast("dict[str, Callable[..., object]]", _environment.filters)
_filters["regex"], _filters["from_json"] = _regex, _from_json


def render(value: JsonValue, context: Mapping[str, JsonValue]) -> JsonValue:
    """Render every string in `value`, however deep; keys stay as they are.

    Raises:
        TemplateError: naming the template that failed and why.
    """
    match value:
        case str() if "{" in value:
            return _evaluate(value, context)
        case list():
            return [render(item, context) for item in value]
        case dict():
            return {key: render(item, context) for key, item in value.items()}
        case _:
            return value


def check(value: JsonValue) -> None:
    """Parse every template in `value` without rendering.

    Raises:
        TemplateError: naming the template that does not parse.
    """
    match value:
        case str():
            _compile(value)
        case list():
            for item in value:
                check(item)
        case dict():
            for item in value.values():
                check(item)
        case _:
            pass


def attributes(value: JsonValue, name: str) -> set[str]:
    """The attributes of the variable `name` that templates in `value` read: `customer_id` of `inputs.customer_id`."""
    match value:
        case str():
            tree = _environment.parse(value)
            read = [(node.node, node.attr) for node in tree.find_all(nodes.Getattr)]
            read += [
                (node.node, node.arg.value)
                for node in tree.find_all(nodes.Getitem)
                if isinstance(node.arg, nodes.Const)
            ]
            return {attr for of, attr in read if isinstance(of, nodes.Name) and of.name == name}
        case list():
            return set[str]().union(*(attributes(item, name) for item in value))
        case dict():
            return attributes(list(value.values()), name)
        case _:
            return set()


def reads(value: JsonValue) -> set[tuple[str, ...]]:
    """What templates in `value` read, name by name: `("steps", "a", "output")` of `steps["a"].output | length`.

    What is only known once it is rendered (`steps[inputs.name]`) ends the names; the template's own are left out.
    """
    match value:
        case str():
            tree = _environment.parse(_CODE.sub(_keep_backslashes, value))
            given = meta.find_undeclared_variables(tree) - set(_environment.globals)
            found = [(node, path) for node in tree.find_all((nodes.Name, *_INSIDE)) if (path := _path(node))]
            begun = {id(node.node) for node, _ in found if isinstance(node, _INSIDE)}
            return {path for node, path in found if id(node) not in begun and path[0] in given}
        case list():
            return set[tuple[str, ...]]().union(*(reads(item) for item in value))
        case dict():
            return reads(list(value.values()))
        case _:
            return set()


_INSIDE = (nodes.Getattr, nodes.Getitem)


def _path(node: nodes.Node) -> tuple[str, ...]:
    """The names that lead to a value; empty if some are not written in the template."""
    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            inner = _path(node.node)
            return (*inner, node.attr) if inner else ()
        case nodes.Getitem(arg=nodes.Const() as key):
            inner = _path(node.node)
            return (*inner, str(key.value)) if inner else ()
        case _:
            return ()


def _evaluate(source: str, context: Mapping[str, JsonValue]) -> JsonValue:
    template = _compile(source)
    try:
        return _plain(template(context))
    except Exception as error:  # an expression is user code: anything can come out
        raise TemplateError(f"template {_short(source)!r}: {error}") from error


@lru_cache(maxsize=1024)
def _compile(source: str) -> Callable[[Mapping[str, JsonValue]], object]:
    code = _CODE.sub(_keep_backslashes, source)
    try:
        match _environment.parse(code.strip()).body, _EXPRESSION.fullmatch(code.strip()):
            case [nodes.Output(nodes=[_])], re.Match() as only:
                return _environment.compile_expression(only[1], undefined_to_none=False)
            case _:
                return _environment.from_string(code).render
    except TemplateSyntaxError as error:
        raise TemplateError(f"template {_short(source)!r}: {error.message}") from error


def _keep_backslashes(code: re.Match[str]) -> str:
    r"""In Jinja `'\d'` is a deprecated escape and `'\b'` a backspace; here only `\\ \' \" \n \t` are escapes."""
    return _BACKSLASH.sub(lambda found: found[1] or r"\\", code[0])


def _plain(value: object) -> JsonValue:
    """`value` as JSON data: a filter such as `map` yields a generator, an expression can yield a tuple."""
    match value:
        case Undefined():
            str(value)  # StrictUndefined says here what is missing
            raise AssertionError("unreachable: the environment is strict")
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            items = cast("Mapping[object, object]", value)
            return {str(key): _plain(item) for key, item in items.items()}
        case Iterable():
            return [_plain(item) for item in cast("Iterable[object]", value)]
        case _:
            raise TypeError(f"yields a {type(value).__name__}, which is not data")


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
