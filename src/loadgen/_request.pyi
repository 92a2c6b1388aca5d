COMMAND_NAMES: tuple[str, ...]
OUTCOME_NAMES: tuple[str, ...]
PHASE_NAMES: tuple[str, ...]
