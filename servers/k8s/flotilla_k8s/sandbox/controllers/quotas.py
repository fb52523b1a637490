"""Resource quotas: what their namespace uses of what they limit."""

from .. import admission, quantities
from ..objects import Object, get, namespace_of
from .control import Control


def reconcile(control: Control, quota: Object) -> None:
    hard = get(quota, "spec", "hard", default={})
    used = admission.usage(control.storage, namespace_of(quota), hard)
    shown = {key: quantities.show(used[key], like=hard[key]) for key in hard}
    control.update("resourcequotas", quota, status={"hard": hard, "used": shown})
