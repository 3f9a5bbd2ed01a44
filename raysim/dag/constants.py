"""Names of what a node knows besides its arguments (`get_other_args_to_resolve`). Ray: `ray.dag.constants`."""

from typing import Final

PARENT_CLASS_NODE_KEY: Final = "parent_class_node"
"""Of a method call: the actor, as a node or as a handle."""

PREV_CLASS_METHOD_CALL_KEY: Final = "prev_class_method_call"
"""Of a call on an actor of the graph: the call bound before it, which is submitted before it."""

BIND_INDEX_KEY: Final = "bind_index"
"""Of a call on a handle: its place in the order in which calls were bound."""

COLLECTIVE_OPERATION_KEY: Final = "collective_operation"
"""Of a node of a collective operation: what it is, and between whom."""

IS_CLASS_METHOD_OUTPUT_KEY: Final = "is_class_method_output"
"""Of a node that stands for one of several return values."""
