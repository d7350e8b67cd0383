"""List the training workloads and their data sets. A new workload is its own folder, an entry here, and its page.

The command line lists them from here, the stack makes their job definitions and roles, and the demonstration proves
each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Machine = Literal["cpu", "gpu", "multi-node"]
"""What a job runs on: an instance without a GPU, one with a GPU, or several instances together."""

MACHINES: tuple[Machine, ...] = get_args(Machine)

_KIND = {"cpu": "", "gpu": "Gpu", "multi-node": "MultiNode"}


@dataclass(frozen=True)
class DataSet:
    """A data set that workloads learn from.

    Functions are named as entry points name them, `module:function`, because this package imports nothing.

    Attributes:
        name: Its name on the command line, its folder below GROUNDWORK_DATA, and the prefix of its files in the bucket.
        origin: Where a person gets it.
        sample: The function that makes a small stand-in without a download; it returns the content of files by name.
        download: The function that gets the data set from its origin, in the same form; None: a person has to get it.
    """

    name: str
    origin: str
    sample: str
    download: str | None = None


@dataclass(frozen=True)
class Trial:
    """How the demonstration shows a workload on one data set.

    Attributes:
        options: Options of `groundwork train`, short enough to watch. `{artifacts}` is the bucket of earlier results.
        goal: What the figure must reach with these options, with room for chance.
    """

    options: tuple[str, ...]
    goal: float


@dataclass(frozen=True)
class TrainingWorkload:
    """A model, and what its jobs need.

    Attributes:
        name: The name on the command line, such as `digit-classifier`.
        summary: What the model does, for the list of commands.
        data_set: The name of the data set it learns from, one of `DATA_SETS`.
        epochs: Passes over the data in a job whose submitter does not say otherwise.
        uses_gpu: Whether the model gains from a GPU.
        multi_node: Whether a training may span several instances.
        reads: Other workloads whose artifacts its jobs read.
        figure: The figure on the test set that the demonstration checks.
        real: How the demonstration trains on the real data set.
        sample: How it trains on the sample that the project makes.
        reclaimed: Whether the demonstration takes the job's spot instance back while it trains.
    """

    name: str
    summary: str
    data_set: str
    epochs: int
    figure: str
    real: Trial
    sample: Trial
    uses_gpu: bool = False
    multi_node: bool = False
    reads: tuple[str, ...] = ()
    reclaimed: bool = False

    @property
    def module(self) -> str:
        """Its folder in `workloads/training/models`: `digit_classifier` for `digit-classifier`."""
        return self.name.replace("-", "_")

    @property
    def resource_name(self) -> str:
        """The beginning of its logical ids in the template: `DigitClassifier` for `digit-classifier`."""
        return self.name.title().replace("-", "")

    @property
    def share(self) -> str:
        """Its share identifier in the job queues, which AWS Batch wants without hyphens."""
        return self.name.replace("-", "")

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The kinds of machine on which its jobs may run, each with a job definition of its own."""
        may_run = {"cpu": True, "gpu": self.uses_gpu, "multi-node": self.multi_node}
        return tuple(machine for machine in MACHINES if may_run[machine])

    @property
    def job_role(self) -> str:
        """The logical id of the role that its jobs have."""
        return f"{self.resource_name}JobRole"

    def job(self, machine: Machine = "cpu") -> str:
        """Return the logical id of its job definition for a kind of machine."""
        return f"{self.resource_name}{_KIND[machine]}Job"

    def job_output(self, machine: Machine = "cpu") -> str:
        """Return the stack's output that has the ARN of that job definition."""
        return f"{self.job(machine)}DefinitionArn"


DATA_SETS: dict[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            "mnist",
            "Y. LeCun and C. Cortes, through torchvision",
            sample="workloads.training.mnist:sample_mnist",
            download="workloads.training.mnist:download_mnist",
        ),
        DataSet(
            "delivery",
            "Kaggle: denkuznetz/food-delivery-time-prediction",
            sample="workloads.training.models.delivery_time.orders:sample_delivery",
        ),
        DataSet(
            "nfl",
            "Kaggle: kendallgillies/nflstatistics",
            sample="workloads.training.models.player_position.sample:sample_nfl",
        ),
    )
}
"""Every data set by its name."""

_CLASSIFIER = "s3://{artifacts}/digit-classifier"  # the classifier of the demonstration's first job judges the images

TRAINING: dict[str, TrainingWorkload] = {
    workload.name: workload
    for workload in (
        TrainingWorkload(
            "digit-classifier",
            "Recognise handwritten digits (MNIST).",
            data_set="mnist",
            epochs=1,
            uses_gpu=True,
            multi_node=True,
            figure="accuracy",
            real=Trial(("--epochs", "3"), goal=0.985),
            sample=Trial(("--epochs", "6"), goal=0.9),
        ),
        TrainingWorkload(
            "digit-gan",
            "Generate handwritten digits (MNIST).",
            data_set="mnist",
            epochs=8,
            uses_gpu=True,
            reads=("digit-classifier",),
            figure="as_asked_for",
            real=Trial(("--preset", "short", "--epochs", "2", "--classifier", _CLASSIFIER), goal=0.5),
            sample=Trial(("--epochs", "6", "--classifier", _CLASSIFIER), goal=0.6),
            reclaimed=True,
        ),
        TrainingWorkload(
            "delivery-time",
            "How many minutes a food delivery takes, with intervals.",
            data_set="delivery",
            epochs=20,
            figure="r2",
            real=Trial(("--splits", "2"), goal=0.6),
            sample=Trial(("--splits", "1"), goal=0.6),
        ),
        TrainingWorkload(
            "player-position",
            "The position of a football player, from his numbers.",
            data_set="nfl",
            epochs=30,
            figure="accuracy",
            real=Trial(("--splits", "1"), goal=0.85),
            sample=Trial(("--splits", "1", "--trees", "50"), goal=0.85),
        ),
    )
}
"""Every training workload by its name, in the order in which they are listed and shown."""
