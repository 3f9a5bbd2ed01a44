"""A placement policy of one's own: a task goes where fewest tasks wait, and of equals where most cores are free."""

from raysim.policies import fits, has_room


class Quietest:
    """`reserve`: cores that are left alone on each node, as long as another node has room without them."""

    name = "quietest"

    def __init__(self, reserve: float = 0):
        self.reserve = round(reserve * 10_000)

    def pick(self, need, nodes, local, rng):
        able = [one for one, view in nodes.items() if fits(need, view.total)]
        free = [one for one in able if has_room(need, nodes[one])]
        return min(free or able, key=lambda one: self.rank(need, nodes[one]), default=None)

    def rank(self, need, view):
        left = view.available.get("CPU", 0) - need.get("CPU", 0)
        return view.queued, left < self.reserve, -left
