#!/usr/bin/env python3
"""validate_sbom.py FILE…: checks SBOMs by CycloneDX's own schema, with its library."""
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for name in sys.argv[1:]:
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(pathlib.Path(name).read_text()):
        sys.exit(f"{name}: {fault}")
