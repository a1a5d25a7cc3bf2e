"""Prints a YAML file as JSON; fails if it is not YAML. Usage: yaml_to_json.py FILE."""

import json
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    json.dump(yaml.safe_load(file), sys.stdout, default=str)
