"""How a bucket is reached: credentials and endpoint of the environment, limits of time, and refusals as `OSError`."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

from bench_lib.core.errors import BadValue, BenchError, described
from bench_lib.core.extras import optional

SCHEMES: Mapping[str, str] = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""The schemes of addresses, and how the variables of the environment begin that say how such buckets are reached."""
FORMS = ", ".join(f"{scheme}://BUCKET/FOLDER" for scheme in SCHEMES)
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
"""Without any of them a machine's role is asked for, which only Amazon's machines have."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

RETRIES: dict[str, Any] = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=90),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=15), "base": 2},
}
"""How often a request is sent again that a server refused for its load, or whose connection was cut."""
CLIENT: dict[str, Any] = {"timeout": timedelta(seconds=120), "connect_timeout": timedelta(seconds=10)}


class Bucket:
    """The four verbs of a bucket, whose errors are those of obstore."""

    def __init__(self, store: Any) -> None:
        import obstore

        self.store = store
        # Of no type: obstore's own take modes and options as literals alone, which are computed here.
        self.verbs: Any = obstore

    def put(self, key: str, content: bytes, mode: str | dict[str, str]) -> None:
        """Put an object whole: `overwrite`, `create` where none is, or in place of the one with an `e_tag`."""
        self.verbs.put(self.store, key, content, mode=mode, use_multipart=False)

    def get(self, key: str, options: dict[str, Any] | None = None) -> Any:
        """An object, or of its content a range."""
        return self.verbs.get(self.store, key, options=options)

    def head(self, key: str) -> Any:
        """The metadata of an object."""
        return self.verbs.head(self.store, key)

    def delete(self, keys: list[str]) -> None:
        """Delete objects."""
        self.verbs.delete(self.store, keys)

    def children(self, prefix: str | None) -> tuple[list[str], list[dict[str, Any]]]:
        """The prefixes and the objects right below a prefix."""
        found = self.verbs.list_with_delimiter(self.store, prefix)
        return sorted(found["common_prefixes"]), found["objects"]

    def below(self, prefix: str | None) -> Iterator[list[dict[str, Any]]]:
        """All objects below a prefix, many at a time."""
        return iter(self.verbs.list(self.store, prefix, chunk_size=1000))


def connected(url: str) -> Bucket:
    """The bucket of an address, with what the environment says now; sends nothing."""
    scheme = url.partition(":")[0]
    settings = sorted(item for item in os.environ.items() if item[0].startswith(SCHEMES[scheme]))
    return _connected(url, tuple(settings))


@lru_cache(maxsize=32)
def _connected(url: str, settings: tuple[tuple[str, str], ...]) -> Bucket:
    endpoints = {name: value for name, value in settings if name in ENDPOINTS}
    for name, value in endpoints.items():
        # What is no URL makes obstore panic.
        if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?(/[!-~]*)?", value):
            raise BadValue(name, value, "a URL such as https://s3.example.org")
    if endpoints and not any(name in CREDENTIALS for name, _ in settings):
        raise BadValue(
            CREDENTIALS[0], None, f"set with {next(iter(endpoints))}, or one of {', '.join(CREDENTIALS[1:])}"
        )
    with optional("obstore"):
        from obstore.store import from_url
    plain = any(value.startswith("http:") for value in endpoints.values())
    reach: Callable[..., Any] = from_url
    try:
        return Bucket(reach(url, client_options={**CLIENT, "allow_http": plain}, retry_config=RETRIES))
    except Exception as error:
        said = described(error).partition(" Debug source")[0]
        raise BenchError(f"{url} cannot be reached with these {SCHEMES[url[:2]]}* variables: {said}") from error


@contextmanager
def refusals() -> Iterator[None]:
    """What a server refuses, or a connection that is cut, as the `OSError` that a disk would give."""
    from obstore import exceptions as refused

    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise OSError(errno.ENODEV, _why(error)) from error
        raise FileNotFoundError(errno.ENOENT, _why(error)) from error
    except (refused.AlreadyExistsError, refused.PreconditionError) as error:
        raise FileExistsError(errno.EEXIST, _why(error)) from error
    except (refused.PermissionDeniedError, refused.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, _why(error)) from error
    except refused.BaseError as error:
        raise OSError(errno.EIO, _why(error)) from error


def _why(error: BaseException) -> str:
    """The code and the message of a server's answer; without them the last part of the first line."""
    text = str(error)
    found = [re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL) for name in ("Code", "Message")]
    said = ": ".join(one[1].strip() for one in found if one)
    return said or (text.splitlines() or [""])[0].rpartition(" - ")[2].strip().rstrip(":")
