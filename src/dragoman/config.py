"""The base of every configuration: frozen, typed, no silent key."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A frozen record; an unknown field is an error, and a field's docstring is its help on the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)
