"""How YAML is read: by libyaml, a tenth of the time, where the wheel carries it."""

import yaml

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
