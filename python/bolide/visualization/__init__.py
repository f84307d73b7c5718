"""Pictures of a training run, drawn with matplotlib, which is imported at the first call and not
before.
"""

from bolide.visualization.training import training_report

__all__ = ["training_report"]
