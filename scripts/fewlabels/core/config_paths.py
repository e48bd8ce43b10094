"""Paths of the config: ``~`` and ``$VARIABLES`` stand for what they do in a shell."""

import os
import re
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

#: Context of a validation that expands paths: that of the config, once; what scripts get is expanded already.
EXPANDING = {"expand_paths": True}


def expand_path(path: str) -> str:
    """Put in what ``~``, ``$NAME`` and ``${NAME}`` stand for; ``$$`` is a dollar sign.

    Raises:
        ValueError: a variable is not set, or there is no such user.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name = found[1] or found[2]
        if not os.environ.get(name):
            raise ValueError(
                f"the variable ${name} in '{path}' is not set: set it, or write $$ for a dollar sign"
            )
        return os.environ[name]

    full = re.sub(r"\$\$|\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)\}", value, path, flags=re.ASCII)
    # A tilde out of a variable is a name.
    if not path.startswith("~"):
        return full
    home = os.path.expanduser(full)
    if home.startswith("~"):
        user = full.partition("/")[0]
        raise ValueError(f"there is no user {user}: mend it, or write ./{user} for a folder's name")
    return home


def _expanded(path: str, info: ValidationInfo) -> str:
    context: dict[str, Any] = info.context or {}
    return expand_path(path) if context.get("expand_paths") else path


#: A path that the config gives.
ConfigPath = Annotated[str, AfterValidator(_expanded)]
