"""Shows faults happening: short runs of the twin with exactly the objects that a finding is about.

    proof = proved(report, objects, Known(profile_text=text))

Each rule that can be shown has one trial: what is done to the service, and what would repair it. Both are
run, as the objects are and repaired, with the same traffic and the same seed, and each becomes a line of
numbers. What nobody said (the time of a request, of a start) is assumed, and the assumption is told.
"""

from tonnage.audit.trials.known import Known
from tonnage.audit.trials.run import Proof, proved

__all__ = ["Known", "Proof", "proved"]
