"""Graphs of tasks and actor calls, built with `bind`, run with `execute` or compiled. Ray: `ray.dag`."""

from raysim.dag.class_node import ClassMethodNode, ClassNode
from raysim.dag.collective_node import CollectiveOutputNode
from raysim.dag.compiled_dag_node import CompiledDAG
from raysim.dag.compiled_dag_ref import CompiledDAGFuture, CompiledDAGRef
from raysim.dag.constants import (
    BIND_INDEX_KEY,
    COLLECTIVE_OPERATION_KEY,
    IS_CLASS_METHOD_OUTPUT_KEY,
    PARENT_CLASS_NODE_KEY,
    PREV_CLASS_METHOD_CALL_KEY,
)
from raysim.dag.context import DAGContext
from raysim.dag.dag_node import DAGNode
from raysim.dag.function_node import FunctionNode
from raysim.dag.input_node import DAGInputData, InputAttributeNode, InputNode
from raysim.dag.output_node import MultiOutputNode
from raysim.dag.plot import plot

__all__ = [
    "BIND_INDEX_KEY",
    "COLLECTIVE_OPERATION_KEY",
    "IS_CLASS_METHOD_OUTPUT_KEY",
    "PARENT_CLASS_NODE_KEY",
    "PREV_CLASS_METHOD_CALL_KEY",
    "ClassMethodNode",
    "ClassNode",
    "CollectiveOutputNode",
    "CompiledDAG",
    "CompiledDAGFuture",
    "CompiledDAGRef",
    "DAGContext",
    "DAGInputData",
    "DAGNode",
    "FunctionNode",
    "InputAttributeNode",
    "InputNode",
    "MultiOutputNode",
    "plot",
]
