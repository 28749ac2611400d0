"""The categories of the report."""

from enum import Enum


class Category(Enum):
    """A category of the report, in the order of the story."""

    DATA = "Data"
    PLAN = "Plan"
    TRAINING = "Training"
    VALIDATION_MATRIX = "Validation matrix"
    CONTRIBUTIONS = "Contributions"
    DIFFICULTY = "Difficulty"
    WEIGHTS = "Weights"
    BENCHMARK = "Benchmark"
    COST = "Cost"
    VERSIONS = "Versions"

    @property
    def title(self) -> str:
        """The name under its number, the place in the enumeration: Snakemake sorts categories by name."""
        return f"{list(Category).index(self)} {self.value}"
