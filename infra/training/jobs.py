"""The jobs: a row for each workload."""

from dataclasses import dataclass

METRICS = "Groundwork/Training"


@dataclass(frozen=True)
class Job:
    """A workload's jobs: what they read, and how long they train unless their submitter says otherwise.

    Attributes:
        workload: The workload's name.
        data: Prefix of its data in the data bucket.
        epochs: Passes over the data.
        uses_gpu: Whether it gains from a GPU.
        multi_node: Whether it may span several nodes.
        reads: Other workloads whose artifacts it reads.
    """

    workload: str
    data: str
    epochs: int
    uses_gpu: bool = False
    multi_node: bool = False
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the template: `DigitClassifier` for `digit-classifier`."""
        return "".join(word.title() for word in self.workload.split("-"))


JOBS = (
    Job("digit-classifier", data="mnist", epochs=1, uses_gpu=True, multi_node=True),
    Job("digit-gan", data="mnist", epochs=8, uses_gpu=True, reads=("digit-classifier",)),
    Job("delivery-time", data="delivery", epochs=20),
    Job("player-position", data="nfl", epochs=30),
)
