"""How YAML is read: by libyaml, which takes a seventh of the time, where PyYAML comes with it."""

import yaml

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
