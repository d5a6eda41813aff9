"""What is wrong with training settings that are each allowed by themselves. Without torch."""

from typing import Any

from glitchmark.errors import UserError
from glitchmark.training.settings import Settings


def check_settings(settings: dict[str, Any], where: str) -> None:
    """settings: of one data set and model, all keys of Settings but checkpoints. where: the message's beginning.

    Raises UserError for a key that the optimiser or the schedule does not have, and for a schedule without a step.
    """
    optimizer, momentum = settings["optimizer"], settings["momentum"]
    if momentum and optimizer != "sgd":
        raise UserError(
            f"{where}: 'momentum: {momentum}' is a setting of 'optimizer: sgd', and the optimizer is '{optimizer}'; "
            "set 'momentum: 0', or use sgd."
        )
    schedule, epochs, step_epochs = settings["schedule"], settings["epochs"], settings["step_epochs"]
    if schedule != "step":
        for key in ("step_epochs", "step_factor"):
            default = getattr(Settings, key)
            if settings[key] != default:
                raise UserError(
                    f"{where}: '{key}: {settings[key]}' is a setting of 'schedule: step', and the schedule is "
                    f"'{schedule}'; leave '{key}' at its default, {default}, or use step."
                )
    elif step_epochs >= epochs:
        raise UserError(
            f"{where}: with 'schedule: step' and 'step_epochs: {step_epochs}' no step falls into 'epochs: {epochs}'; "
            "use a smaller 'step_epochs', or 'schedule: constant'."
        )
