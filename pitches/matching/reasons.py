"""Why a pair is not suggested; the first reason that applies counts."""

REASONS = {
    # of the lead
    "merged": "The lead was merged into another one.",
    "closed": "The lead is closed: filled, withdrawn or no longer published.",
    "suppressed": "Nobody of the lead may be written to.",
    "demo_mixed": "Invented demo leads meet only demo campaigns, and real ones only real.",
    "do_not_contact": "The organization does not want to be contacted.",
    "follow_up_date": "The organization asked to be left alone until a later day.",
    "below_min_score": "The lead's score is below what the campaign asks for.",
    "industry_not_targeted": "The lead is in none of the campaign's target industries.",
    "size_not_targeted": "The organization is not of a size that the campaign targets.",
    "interviews_full": "More than 3 interviews are open at the organization.",
    # of the candidate
    "wrong_candidate_kind": "The candidate is not of the kind that this campaign pitches.",
    "placed": "The candidate has a confirmed placement.",
    "not_active": "The candidate is not active.",
    "start_passed": "The candidate's start date is past: staff must look at it.",
    # of the pair
    "declined_before": "The pair was declined in this campaign.",
    "already_matched": "The pair is already a match of this campaign.",
    "already_pitched": "The candidate was already pitched to this lead.",
    "remote_only": "The candidate works only remotely and the role is not remote.",
    "location_mismatch": "The role is not where the candidate is.",
    "visa_mismatch": "The candidate needs a visa and the role sponsors none.",
    "interns_full": "There is more than 1 confirmed intern for 4 employees at the start.",
    "no_industry_match": "No industry of the candidate fits the role.",
    # after scoring
    "below_mark": "The score is too low to keep.",
    "beyond_best": "The candidate or the lead has enough better matches.",
    "beyond_most": "Only the best were asked for (--most).",
}
