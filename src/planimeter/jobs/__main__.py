"""`python -m planimeter.jobs FOLDER`: the process of a job, which a service starts."""

import os
import sys
from pathlib import Path

from planimeter.jobs.folder import JobFolder


def main() -> None:
    """Do the job of a folder, after all that others want of the machine."""
    os.nice(10)
    from planimeter.jobs.training import run_job  # noqa: PLC0415 - PyTorch takes seconds, and low priority

    run_job(JobFolder(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
