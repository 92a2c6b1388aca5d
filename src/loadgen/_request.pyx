"""The names of what `_request.pxd` numbers."""

COMMAND_NAMES = ("get", "set", "delete", "ping", "backfill", "hello", "auth")
OUTCOME_NAMES = ("hit", "stored", "deleted", "ok", "miss", "not stored", "not found", "error reply")
PHASE_NAMES = ("precheck", "prefill", "warmup", "measure", "drain")
