"""A real server that speaks S3, for tests: started, hung and killed at will."""

import re
import signal
import subprocess
import sys
from typing import IO, cast

import fsspec
import pytest

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = "releases"


class ObjectServer:
    """One server on a free port of 127.0.0.1; what it holds is lost when it ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.url = self._announced()
        self.process.stderr.close()  # type: ignore[union-attr]

    def _announced(self) -> str:
        for line in cast(IO[str], self.process.stderr):
            if found := re.search(r"Running on (http://\S+:\d+)", line):
                return found[1]
        raise AssertionError("the object server did not start")

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Make it the S3 of this process and its children, and forget what others said."""
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": self.url}).items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").clear_instance_cache()
        fsspec.filesystem("s3").call_s3("create_bucket", Bucket=BUCKET)

    def pause(self) -> None:
        """Hangs it: it accepts connections and never replies."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash would; does nothing when it is gone."""
        self.process.kill()
        self.process.wait()
