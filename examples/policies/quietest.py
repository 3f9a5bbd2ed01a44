"""A placement policy of one's own: a task goes where fewest tasks wait, and of equals where most cores are free."""


class Quietest:
    """`reserve`: cores that are left alone on each node, as long as another node has room without them."""

    name = "quietest"

    def __init__(self, reserve: float = 0):
        self.reserve = round(reserve * 10_000)

    def pick(self, need, nodes, local, rng):
        def has(units):
            return all(units.get(name, 0) >= amount for name, amount in need.items())

        able = [one for one, view in nodes.items() if has(view.total)]
        free = [one for one in able if has(nodes[one].available)]
        return min(free or able, key=lambda one: self.rank(need, nodes[one]), default=None)

    def rank(self, need, view):
        left = view.available.get("CPU", 0) - need.get("CPU", 0)
        return view.queued, left < self.reserve, -left
