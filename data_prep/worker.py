"""A worker process of Beam on this machine that says only what went wrong.

Beam's own would tell every start and stop, whatever level it is asked for.
"""

import logging
import sys


def main() -> None:
    """Serves the runner that started it."""
    logging.disable(logging.WARNING)
    # Later than usual: the import warns of parts that are not used here.
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
