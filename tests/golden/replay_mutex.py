"""Names of iTop's server-wide locks."""

from itopd.database import mutex_name
from tests.golden.harness import Vector, check_equal, replays


@replays("cron", lambda vector: vector.data.get("run", {}).get("service") == "mutex-name")
def replay(vector: Vector) -> None:
    for case in vector.data["expect"]["cases"]:
        name = mutex_name(case["mutex"], case["db_name"], case["db_subname"])
        check_equal(f"lock of {case['mutex']} on {case['db_name']}, {case['db_subname']!r}", name, case["lock"])
