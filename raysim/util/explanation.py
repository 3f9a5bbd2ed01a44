"""Why is this object not ready? `print(explain(ref))` tells. Ray has nothing like it. Never changes anything."""

from raysim.api.session import auto_init
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.explanation import Explanation, Holder, NodeLack, Reason

__all__ = ["Explanation", "Holder", "NodeLack", "Reason", "explain"]


def explain(ref: ObjectRef) -> Explanation:
    """What the object waits for, and what that waits for, down to the cause.

    Asks the object's owner, the raylets, the GCS and the workers that are concerned, and answers
    from what they decide on: an argument that is pending, which node lacks what and who holds it,
    a worker that starts, a call that runs since when, a lost object that is being rebuilt, an actor
    that is pending or restarts, a cycle of calls that wait for each other. `str()` of the answer is
    a readable text. Raises TypeError for what is no reference.
    """
    if not isinstance(ref, ObjectRef):
        raise TypeError(f"explain() is for an ObjectRef, but got {type(ref).__name__}: {ref!r}.")
    return (current() or auto_init()).explain(ref)
