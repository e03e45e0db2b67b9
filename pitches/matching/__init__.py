"""Which candidate for which lead: hard filters first, each with its reason, then the score.

Set-based: a handful of queries whatever the number of pairs, the pairs themselves in arrays.
`plan` only reads; `suggest` plans and writes the rows. PRESETS says what each preset looks for.
"""

from pitches.matching.choosing import Filtered, Plan, Suggested, Suggestion
from pitches.matching.explaining import Explanation, explain
from pitches.matching.pairs import OPEN
from pitches.matching.pool import Pool, pool_of
from pitches.matching.presets import PRESETS, threshold
from pitches.matching.reasons import REASONS
from pitches.matching.suggesting import CampaignOver, plan, suggest

__all__ = [
    "OPEN",
    "PRESETS",
    "REASONS",
    "CampaignOver",
    "Explanation",
    "Filtered",
    "Plan",
    "Pool",
    "Suggested",
    "Suggestion",
    "explain",
    "plan",
    "pool_of",
    "suggest",
    "threshold",
]
