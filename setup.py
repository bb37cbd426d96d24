"""The set-up script for tools that still look for one; see pyproject.toml."""

from setuptools import setup

setup()
