"""The same with a transport that delays, holds, drops, doubles and reorders what brokers tell each other."""
from test_kills import leader_killed_while_publishing
from workload import run


def leader_killed_with_an_unreliable_transport():
    leader_killed_while_publishing(2, environment={"LOGFLUME_UNRELIABLE_RPC": "1"})


if __name__ == "__main__":
    run(leader_killed_with_an_unreliable_transport)
