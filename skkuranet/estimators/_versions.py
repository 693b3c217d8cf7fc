"""Version of the library in pickles."""

from __future__ import annotations

from typing import Any

from skkuranet import __version__
from skkuranet._utils.messages import warn_caller

_KEY = "_skkuranet_version"


class Versioned:
    """Base of what says, when it is unpickled, that another version has pickled it."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop(_KEY, "an unknown version")
        if version != __version__:
            warn_caller(
                f"This {type(self).__name__} was pickled by skkuranet {version} and is read by "
                f"{__version__}: it may fail, or answer otherwise. Fit it anew, or keep models in "
                "files of skkuranet.save, which later versions read.",
                UserWarning,
            )
        super().__setstate__(state)  # type: ignore[misc]
