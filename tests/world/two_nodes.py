"""A Ray cluster of two machines on this one, a scan over it, and one machine that dies in the middle of it.

python -m world.two_nodes '{"scan": {...}, "kill_after": 6}'      prints the scan's progress, and `killed`
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ["RAY_AUTH_MODE"] = "disabled"  # a cluster on the loopback, for the length of a test
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

MEMORY = 100 * 1024 * 1024  # bytes of each machine's store of objects


def main() -> None:
    import ray  # noqa: PLC0415 (after the environment is set)
    from ray.cluster_utils import Cluster  # noqa: PLC0415 (as above)

    from chopmark.watch.engine.run import Progress, Scan, run  # noqa: PLC0415 (as above)

    asked = json.loads(sys.argv[1])
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY},
    )
    other = cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    ray.init(address=cluster.address, log_to_driver=False)
    alive = [other]

    def tell(progress: Progress) -> None:
        print(json.dumps(asdict(progress)), flush=True)  # noqa: T201 (what the test reads)
        if alive and progress.done >= asked["kill_after"] > 0:
            cluster.remove_node(alive.pop(), allow_graceful=False)
            print("killed", flush=True)  # noqa: T201 (as above)

    said = asked["scan"]
    try:
        run(Scan(**{**said, "folder": Path(said["folder"]), "runner": cluster.address}), progress=tell)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
