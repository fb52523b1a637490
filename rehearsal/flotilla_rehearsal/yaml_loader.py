"""The YAML loader: libyaml where the wheel carries it, which takes a tenth of the time."""

import yaml

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
