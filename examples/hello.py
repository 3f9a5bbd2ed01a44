"""The smallest program: one hundred tasks and a sum."""

import raysim as ray


@ray.remote
def square(x):
    return x * x


ray.init(num_cpus=4)
squares = [square.remote(i) for i in range(100)]
print(sum(ray.get(squares)))
