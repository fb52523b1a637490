"""Whether an object is what its kind's schema says, in the real server's words."""

import re
from typing import Any

import jsonschema
import msgspec

from . import quantities
from .kinds import Kind
from .objects import Object, get, is_list, is_object, labels_of, name_of
from .schemas import Schema, schema_of
from .selectors import selected
from .status import bad_request, cause, invalid

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAMED_BY_LABEL = {"namespaces", "services"}
_MISSING = re.compile(r"Object missing required field `(.+?)`(?: - at `\$\.?(.*)`)?$")
_WRONG_TYPE = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.?(.*)`)?$")
_INDEX = re.compile(r"\[(\.\.\.|\d+)\]")
_GO = {"int": "int32", "str": "string", "bool": "bool", "float": "number", "array": "array", "object": "object"}


def normalised(value: Any, schema: Schema) -> Any:
    """An object as the server keeps it: without nulls, quantities as text.

    Raises:
        ApiError: 400, something is no quantity.
    """
    if is_object(value):
        return {key: normalised(each, schema.field(str(key))) for key, each in value.items() if each is not None}
    if is_list(value):
        return [normalised(each, schema.items) for each in value]
    if schema.document.get("format") == "quantity" and not isinstance(value, bool):
        try:
            quantities.parse(str(value))
        except ValueError as error:
            raise bad_request(f"unable to parse quantity {str(value)!r}: {error}") from None
        return str(value)
    return value


def unknown_fields(value: Any, schema: Schema, path: str = "") -> list[str]:
    """The paths of fields that the schema does not have; they are removed in place."""
    found: list[str] = []
    if is_list(value):
        for index, each in enumerate(value):
            found += unknown_fields(each, schema.items, f"{path}[{index}]")
    elif is_object(value):
        for name in list(value):
            at = f"{path}.{name}" if path else str(name)
            if schema.has(str(name)):
                found += unknown_fields(value[name], schema.field(str(name)), at)
            else:
                found.append(at)
                del value[name]
    return found


def check(kind: Kind, value: Object) -> None:
    """Raise what is wrong with an object.

    Raises:
        ApiError: 400, a value has another type; 422, something is missing or breaks a rule.
    """
    name = name_of(value)
    if kind.model is not None:
        _check_model(kind, value, kind.model)
    elif kind.schema is not None:
        validator: Any = jsonschema.Draft202012Validator(dict(kind.schema))
        errors = [(".".join(map(str, each.absolute_path)), each.message) for each in validator.iter_errors(value)]
        if errors:
            raise invalid(kind, name, [cause(path or "<nil>", message) for path, message in errors[:10]])
    causes = [*_name_causes(kind, name), *_label_causes(value), *_workload_causes(kind, value)]
    if causes:
        raise invalid(kind, name, causes)


def _check_model(kind: Kind, value: Object, model: type[Any]) -> None:
    try:
        msgspec.convert(value, model)
    except msgspec.ValidationError as error:
        if match := _MISSING.match(str(error)):
            at = ".".join(filter(None, (match[2], match[1])))
            raise invalid(kind, name_of(value), [cause(at, "Required value", "FieldValueRequired")]) from None
        said = str(error)
        if match := _WRONG_TYPE.match(said):
            expected = match[1].split(" | ")[0]
            got = {"str": "string", "int": "number", "float": "number"}.get(match[2], match[2])
            at = f"{kind.kind}.{_INDEX.sub('', match[3] or '')}"
            said = f"json: cannot unmarshal {got} into Go struct field {at} of type {_GO.get(expected, expected)}"
        message = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {said}'
        raise bad_request(message) from None


def _name_causes(kind: Kind, name: str) -> list[Object]:
    if not name:
        message = "Required value: name or generateName is required"
        return [cause("metadata.name", message, "FieldValueRequired")]
    if kind.group == "rbac.authorization.k8s.io":
        return []
    by_label = kind.qualified in _NAMED_BY_LABEL
    rule, longest = (_LABEL, 63) if by_label else (_SUBDOMAIN, 253)
    found: list[Object] = []
    if not rule.fullmatch(name):
        said = _LABEL_RULE if by_label else _SUBDOMAIN_RULE
        found.append(cause("metadata.name", f'Invalid value: "{name}": {said}'))
    if len(name) > longest:
        found.append(cause("metadata.name", f'Invalid value: "{name}": must be no more than {longest} bytes'))
    return found


def _label_causes(value: Object) -> list[Object]:
    return [
        cause("metadata.labels", f'Invalid value: "{each}": {_LABEL_VALUE_RULE}')
        for each in labels_of(value).values()
        if len(each) > 63 or not _LABEL_VALUE.fullmatch(each)
    ]


def _workload_causes(kind: Kind, value: Object) -> list[Object]:
    found: list[Object] = []
    if kind.group == "apps" and (selector := get(value, "spec", "selector")) is not None:
        labels = get(value, "spec", "template", "metadata", "labels", default={})
        if not selector:
            message = f"Invalid value: {{}}: empty selector is invalid for {kind.singular}"
            found.append(cause("spec.selector", message))
        if not selected(selector, labels):
            shown = ", ".join(f'"{key}":"{each}"' for key, each in sorted(labels.items()))
            message = f"Invalid value: map[string]string{{{shown}}}: `selector` does not match template `labels`"
            found.append(cause("spec.template.metadata.labels", message))
    role = get(value, "roleRef", "kind")
    if role not in (None, "Role", "ClusterRole"):
        message = f'Unsupported value: "{role}": supported values: "Role", "ClusterRole"'
        found.append(cause("roleRef.kind", message, "FieldValueNotSupported"))
    replicas = get(value, "spec", "replicas")
    if isinstance(replicas, int) and replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        found.append(cause("spec.replicas", message))
    spec, at = (get(value, "spec"), "spec") if kind.kind == "Pod" else (get(value, "spec", "template", "spec"),
                                                                       "spec.template.spec")  # fmt: skip
    if spec is not None and kind.group in ("", "apps", "batch"):
        for index, each in enumerate(get(spec, "containers", default=[])):
            if not each.get("image"):
                field = f"{at}.containers[{index}].image"
                found.append(cause(field, "Required value", "FieldValueRequired"))
    return found


def check_change(kind: Kind, before: Object, after: Object) -> None:
    """Raise a change of what must not change.

    Raises:
        ApiError: 422.
    """
    selector = get(after, "spec", "selector")
    if kind.group == "apps" and get(before, "spec", "selector") != selector:
        shown = msgspec.json.encode(selector).decode()
        raise invalid(kind, name_of(after), [cause("spec.selector", f"Invalid value: {shown}: field is immutable")])
    if kind.kind == "Secret" and before.get("type") != after.get("type"):
        said = f'Invalid value: "{after.get("type")}": field is immutable'
        raise invalid(kind, name_of(after), [cause("type", said)])
    if kind.kind in ("RoleBinding", "ClusterRoleBinding") and before.get("roleRef") != after.get("roleRef"):
        raise invalid(kind, name_of(after), [cause("roleRef", "Invalid value: cannot change roleRef")])
    if kind.kind == "Pod" and _fixed(before) != _fixed(after):
        message = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)"
        )
        raise invalid(kind, name_of(after), [cause("spec", message, "FieldValueForbidden")])


def _fixed(pod: Object) -> Object:
    spec = {**pod.get("spec", {})}
    for name in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"):
        spec.pop(name, None)
    for name in ("containers", "initContainers"):
        spec[name] = [{**each, "image": ""} for each in spec.get(name, [])]
    return spec


def check_unknown(kind: Kind, value: Object, mode: str, warnings: list[str]) -> None:
    """Remove fields that the kind does not have; strict mode refuses them, and warning mode names them.

    Raises:
        ApiError: 400 in strict mode.
    """
    found = [f'unknown field "{each}"' for each in unknown_fields(value, schema_of(kind))]
    if found and mode == "Strict":
        said = ", ".join(found)
        message = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: '
        raise bad_request(message + said)
    if mode == "Warn":
        warnings += found
