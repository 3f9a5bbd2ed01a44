"""Which messages are asked for again until they are answered. Never who does it: see the roles.

Requests whose sender has a timer for their answer, and the answers. So each of them may be lost, arrive
twice, and arrive late. All others go with their connection: they arrive once and in order, or it breaks.
"""

from typing import Final

from raysim.protocol.messages import (
    ActorRefused,
    ActorRegistered,
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CallsPlaced,
    CheckHealth,
    CommitBundles,
    CreateActor,
    CreatePlacementGroup,
    GetNamedActor,
    GetNodes,
    GetPackage,
    GetPlacementGroups,
    Healthy,
    JobRegistered,
    ListNamedActors,
    Message,
    NamedActor,
    NamedActors,
    NodeRegistered,
    Nodes,
    PackagePart,
    PackageStored,
    PlaceCalls,
    PlacementGroupRefused,
    PlacementGroupRegistered,
    PlacementGroups,
    PrepareBundles,
    ProbeQueue,
    PutPackage,
    QueueProbed,
    RegisterDriver,
    RegisterJob,
    RegisterNode,
    RegisterWorker,
    RequestWorkerLease,
    ReturnBundles,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
    WorkerRegistered,
)

REPLIES: Final[dict[type[Message], tuple[type[Message], ...]]] = {
    RegisterNode: (NodeRegistered,),
    RegisterWorker: (WorkerRegistered,),
    RegisterDriver: (WorkerRegistered,),
    RegisterJob: (JobRegistered,),
    CheckHealth: (Healthy,),
    GetNodes: (Nodes,),
    RequestWorkerLease: (
        WorkerLeaseGranted,
        WorkerLeaseSpilled,
        WorkerLeaseRejected,
        WorkerLeaseRefused,
    ),
    PlaceCalls: (CallsPlaced,),
    ProbeQueue: (QueueProbed,),
    CreateActor: (ActorRegistered, ActorRefused),
    GetNamedActor: (NamedActor,),
    ListNamedActors: (NamedActors,),
    CreatePlacementGroup: (PlacementGroupRegistered, PlacementGroupRefused),
    GetPlacementGroups: (PlacementGroups,),
    PrepareBundles: (BundlesPrepared,),
    CommitBundles: (BundlesCommitted,),
    ReturnBundles: (BundlesReturned,),
    PutPackage: (PackageStored,),
    GetPackage: (PackagePart,),
}
"""Each request, with its answers."""

ASKED_AGAIN: Final[frozenset[type[Message]]] = frozenset(REPLIES).union(*REPLIES.values())
