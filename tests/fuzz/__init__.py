"""Fuzzing of everything that reads what others wrote: one file a target, each with `MODULES`, `seeds` and `check`.

`MODULES` names the code whose coverage counts. `seeds()` gives good inputs to start from. `check(data)` reads one input and raises
only for a defect: any exception but the documented one, or a result that breaks its promise.

    make fuzz SECONDS=60        coverage-guided, each target so long
    make fuzz FLAT=600          each target until its coverage has not risen for ten minutes
"""

TARGETS = (
    'images',
    'compressed',
    'pictures',
    'camera_info',
    'depth',
    'messages',
    'bags',
    'logs',
    'metadata',
    'truths',
    'parameters',
    'contracts',
    'zones',
    'profiles',
)
